/*
 * Everything that a driver and the reference GPU say to each other: registers, tables, rings, methods.  [F] marks what
 * lies where Fermi (NVC0) has it and works so, reduced; the rest is our own.  Numbers are little-endian.
 */
#ifndef PL_REFGPU_DEVICE_REGS_H
#define PL_REFGPU_DEVICE_REGS_H

#define PL_RG_CHANNELS 512u
#define PL_RG_ENGINES  3u
enum pl_rg_engine { PL_RG_COMPUTE, PL_RG_COPY1, PL_RG_COPY2 };

/* -- PCI ---------------------------------------------------------------------------------------------------------- */
#define PL_RG_PCI_VENDOR          0x504cu
#define PL_RG_PCI_DEVICE          0x0f01u
#define PL_RG_PCI_CLASS           0x030200u /* 3D controller */
#define PL_RG_PCI_BYTES           256u
#define PL_RG_PCI_CAP_MSIX        0x40u
#define PL_RG_BAR0_BYTES          (16u << 20)
#define PL_RG_BAR3_BYTES          (64ull << 20)
#define PL_RG_VECTORS             4u /* one per engine; 3: faults */
#define PL_RG_VECTOR_FAULT        3u
#define PL_RG_VECTOR_LINE         0xffffffffu /* the pin, while MSI-X is off */

/* -- BAR0 --------------------------------------------------------------------------------------------------------- */
#define PL_RG_ID                  0x000000u /* PL_RG_ID_VALUE */
#define PL_RG_ID_VALUE            0x0f0100a1u
#define PL_RG_INTR                0x000100u /* [F] bit per vector: pending; write 1s to acknowledge */
#define PL_RG_INTR_ENABLE         0x000140u /* [F] bit per vector; one that is pending and gets enabled is signalled */
#define PL_RG_ENABLE              0x000200u /* [F] bit 12 compute, 6 and 7 copy: 0 kills its channels, holds it */
#define PL_RG_ENABLE_BIT(engine)  ((engine) == PL_RG_COMPUTE ? 12u : 5u + (engine))
#define PL_RG_ENABLE_RESET        0x000010c0u

#define PL_RG_WINDOW              0x001700u /* [F] VRAM address >> 16 of what PL_RG_WINDOW_DATA shows */
#define PL_RG_BAR1_INSTANCE       0x001704u /* [F] bit 31: translated, | instance block >> 12; else VRAM from 0 */
#define PL_RG_BAR3_INSTANCE       0x001714u /* [F] the same for BAR3 */
#define PL_RG_APERTURE_ON         0x80000000u
#define PL_RG_WINDOW_DATA         0x700000u /* [F] */
#define PL_RG_WINDOW_BYTES        0x100000u

#define PL_RG_USER_AREA           0x002254u /* [F] bit 28: on, | offset in BAR1 >> 12 of channel 0's user page */
#define PL_RG_USER_AREA_ON        0x10000000u
#define PL_RG_RUNLIST             0x002270u /* [F] VRAM address >> 12 of a runlist */
#define PL_RG_RUNLIST_UPDATE      0x002274u /* [F] engine << 20 | entries: takes it over, at once */
#define PL_RG_RUNLIST_ENTRY_BYTES 8u        /* [F] {channel, 4} */
#define PL_RG_CHANNEL_ERROR                                                                                            \
	0x00252cu                   /* [F] last channel refused: bit 31 | fault code << 16 | channel; write: cleared */
#define PL_RG_FAULT_UNITS 0x00259cu /* [F] bit per engine that has faulted; write 1s to clear */
#define PL_RG_KILL        0x002634u /* [F] write a channel: it dies; reads bit 20 until no engine works for it */
#define PL_RG_KILL_BUSY   0x00100000u
#define PL_RG_FAULT_UNIT(e)                                                                                            \
	(0x002800u + 0x10u * (e)) /* [F] last of an engine: instance >> 12, address low, high,                         \
				   * code | access << 8 | channel << 16 */
/* Queue of fault records, oldest first. */
#define PL_RG_FAULT_COUNT  0x002a00u /* records there */
#define PL_RG_FAULT_NEXT   0x002a04u /* write: the oldest goes away */
#define PL_RG_FAULT_RECORD 0x002a40u /* the oldest: word i at + 4 * i */
#define PL_RG_FAULT_QUEUE  64u
enum pl_rg_fault_word {
	PL_RG_FW_CODE,   /* enum pl_rg_fault_code */
	PL_RG_FW_ACCESS, /* enum pl_rg_access */
	PL_RG_FW_WHO,    /* engine << 16 | channel */
	PL_RG_FW_GET,    /* the ring entry */
	PL_RG_FW_ADDRESS,
	PL_RG_FW_ADDRESS_HIGH, /* for a bad method: the push-buffer word's */
	PL_RG_FW_PC,
	PL_RG_FW_PC_HIGH,                     /* for a bad method: method << 32 | data */
	PL_RG_FW_BLOCK,                       /* x, y, z */
	PL_RG_FW_THREAD = PL_RG_FW_BLOCK + 3, /* x, y, z */
	PL_RG_FW_TIME = PL_RG_FW_THREAD + 3,
	PL_RG_FW_TIME_HIGH,
	PL_RG_FAULT_WORDS,
};

#define PL_RG_CHANNEL(c)          (0x003000u + 8u * (c)) /* [F] bit 31 | instance block >> 12: read when written */
/* One that an engine works for has to be made invalid, and be seen to be, before it is made anew. */
#define PL_RG_CHANNEL_VALID       0x80000000u
#define PL_RG_CHANNEL_STATE(c)    (0x003004u + 8u * (c)) /* [F] write bit 0: may run */
#define PL_RG_CS_RUNNABLE         (1u << 0)
#define PL_RG_CS_ACQUIRE          (1u << 4)  /* put aside until a semaphore holds */
#define PL_RG_CS_LOADED           (1u << 12) /* an engine works for it now */
#define PL_RG_CS_ENGINE_SHIFT     16
#define PL_RG_CS_DEAD             (1u << 24) /* faulted or killed: until it is made invalid */
#define PL_RG_CS_PENDING          (1u << 28) /* has work.  Idle = none of ACQUIRE, LOADED, PENDING */

#define PL_RG_TIME_LOW            0x009400u /* [F] ns; read high, low, high */
#define PL_RG_TIME_HIGH           0x009410u
#define PL_RG_BAR_FLUSH           0x070000u /* [F] write: stores through BARs are in memory; reads 0 when they are */
#define PL_RG_TLB_STATUS          0x100c80u /* [F] bits 23:16 room for requests, bit 15: all flushes are done */
#define PL_RG_TLB_IDLE            0x00008000u
#define PL_RG_TLB_DIRECTORY       0x100cb8u   /* [F] directory (or root) >> 8 */
#define PL_RG_TLB_FLUSH           0x100cbcu   /* [F] bit 31 | type */
#define PL_RG_TLB_ONE             0x80000001u /* what belongs to the directory */
#define PL_RG_TLB_ALL             0x80000002u
#define PL_RG_TLB_BAR             0x80000005u /* as ONE; apertures see it before the write returns */
#define PL_RG_VRAM_MIB            0x10f20cu
#define PL_RG_STATUS              0x400700u /* [F: not 0 = busy] bit e: engine e has work; bit 8 + e: only waits */

#define PL_RG_INFO                0xd00000u   /* PL_RG_INFO_VALUE */
#define PL_RG_INFO_VALUE          0x504c0001u /* and the version of this page */
#define PL_RG_INFO_SMS            0xd00004u
#define PL_RG_INFO_FEATURES       0xd00008u
#define PL_RG_FEATURE_F           (1u << 0) /* page-table profiles */
#define PL_RG_FEATURE_G           (1u << 1)
#define PL_RG_FEATURE_VIRTUAL     (1u << 2) /* virtual clock */
#define PL_RG_FEATURE_LAUNCH      (1u << 3) /* has a compute engine */
#define PL_RG_WATCHDOG_LOW        0xd00010u /* ns that a launch or copy may take; 0 = for ever */
#define PL_RG_WATCHDOG_HIGH       0xd00014u
#define PL_RG_INFO_INSTRUCTION_PS 0xd00018u /* virtual clock: costs */
#define PL_RG_INFO_BYTE_PS        0xd0001cu
#define PL_RG_INFO_SUBMISSION_NS  0xd00020u
#define PL_RG_COUNTERS            0xe00000u /* counter i at + 8 * i (stats.h); low word latches high */
#define PL_RG_MSIX_TABLE          0xf00000u /* 16 bytes each: address low, high, data, bit 0 masked */
#define PL_RG_MSIX_PENDING        0xf08000u

/* -- page tables -------------------------------------------------------------------------------------------------- */
/* F [F]: directory of 8192 entries; depth 3 puts 256 root entries above (bit 0 present, directory >> 12 << 4). */
#define PL_RG_PDE_LARGE           (1ull << 0)  /* bits 31:4: large-page table >> 12, in VRAM */
#define PL_RG_PDE_SHORT_SHIFT     2            /* bits 3:2: the tables cover 128 MiB >> this */
#define PL_RG_PDE_SMALL           (1ull << 32) /* bits 63:36: small-page table >> 12, in VRAM */
#define PL_RG_PTE_PRESENT         (1ull << 0)
#define PL_RG_PTE_SUPERVISOR      (1ull << 1)
#define PL_RG_PTE_READ_ONLY       (1ull << 2)
#define PL_RG_PTE_TARGET_SHIFT    33 /* bits 34:33 */
#define PL_RG_TARGET_VRAM         0ull
#define PL_RG_TARGET_SNOOP        2ull
#define PL_RG_TARGET_NO_SNOOP     3ull
/* address: bits 31:4 are its bits 39:12; bits 43:36 (Fermi: storage type) are its bits 47:40 */
#define PL_RG_PTE_ADDRESS(a)      (((a) >> 12 & 0xfffffffull) << 4 | ((a) >> 40 & 0xffull) << 36)
/* A small page hides the large one of its place when both are present. */
/* G: directory of 512 entries of 4 bytes, each a table of 1024; bit 0 present; bits 31:12 address, bits 11:4 its bits
 * 39:32. */
#define PL_RG_G_PRESENT           (1u << 0)
#define PL_RG_G_WRITABLE          (1u << 1) /* of pages */
#define PL_RG_G_VRAM              (1u << 3) /* else system memory; tables and pages */
#define PL_RG_G_ADDRESS(a)        ((unsigned)((a)&0xfffff000u) | (unsigned)((a) >> 32 & 0xff) << 4)

/* -- channels ------------------------------------------------------------------------------------------------------ */
/* Instance block: 4 KiB of VRAM; byte offsets of 32-bit words */
#define PL_RG_INST_USER           0x008u /* [F] user page, VRAM address; high word follows */
#define PL_RG_INST_MAGIC          0x010u /* [F] */
#define PL_RG_INST_MAGIC_VALUE    0xfaceu
#define PL_RG_INST_RING           0x048u /* [F] ring, GPU address; high word: | order << 16 */
#define PL_RG_INST_ORDER_MAX      16u    /* 2^order entries */
#define PL_RG_INST_PUSH_HIGH      0x050u /* bits 47:40 of all push-buffer addresses */
#define PL_RG_INST_ENGINE         0x054u /* enum pl_rg_engine */
#define PL_RG_INST_DIRECTORY      0x200u /* [F] high word follows */
#define PL_RG_INST_LIMIT          0x208u /* [F] last good address, in whole pages; high word follows */
#define PL_RG_INST_MODE           0x210u
enum { PL_RG_MODE_F2, PL_RG_MODE_F3, PL_RG_MODE_G, PL_RG_MODE_G_SYSTEM }; /* last: directory in system memory */
/* User page [F] */
#define PL_RG_USER_BYTES                  0x1000u
#define PL_RG_USER_REFERENCE              0x048u
#define PL_RG_USER_RING_GET               0x088u /* entries done; the device writes it */
#define PL_RG_USER_RING_PUT               0x08cu /* doorbell: entries written, index into the ring */
/* Ring entry [F] */
#define PL_RG_ENTRY(address, words)       (((address)&0xfffffffffcull) | (unsigned long long)(words) << 42)
#define PL_RG_ENTRY_WORDS_MAX             0x1fffffu
/* Push-buffer word [F]: header, then data */
#define PL_RG_INCREASING                  1u
#define PL_RG_SAME                        3u
#define PL_RG_INLINE                      4u /* the count is the data */
#define PL_RG_ONCE                        5u /* increases after the first */
#define PL_RG_HEADER(mode, method, count) ((unsigned)(mode) << 29 | (unsigned)(count) << 16 | (unsigned)(method) >> 2)
#define PL_RG_COUNT_MAX                   0x1fffu
/* bits 15:13, the subchannel, mean nothing here */

/* -- methods ------------------------------------------------------------------------------------------------------- */
#define PL_RG_M_NOP                       0x008u
#define PL_RG_M_REFERENCE                 0x050u /* data into PL_RG_USER_REFERENCE */
#define PL_RG_M_SEM_LOW                   0x05cu /* address: 4-aligned; 8 with 64-bit payload, 16 with a timestamp */
#define PL_RG_M_SEM_HIGH                  0x060u
#define PL_RG_M_SEM_PAYLOAD               0x064u
#define PL_RG_M_SEM_PAYLOAD_HIGH          0x068u
#define PL_RG_M_SEM_EXECUTE               0x06cu /* operation | flags.  A release comes after all before it */
#define PL_RG_SEM_ACQUIRE                 0u     /* equal */
#define PL_RG_SEM_RELEASE                 1u
#define PL_RG_SEM_ACQUIRE_GEQ             2u /* signed difference >= 0 */
#define PL_RG_SEM_ACQUIRE_AND             3u /* memory & payload != 0 */
#define PL_RG_SEM_ACQUIRE_NOR             4u /* ~(memory | payload) != 0 */
#define PL_RG_SEM_64                      (1u << 24)
#define PL_RG_SEM_TIME                    (1u << 25) /* release: device time, 64 bits, at + 8, before the payload */
#define PL_RG_M_INTERRUPT                 0x070u     /* the engine's vector; data ignored */
#define PL_RG_M_WAIT_IDLE                 0x078u     /* engines work in order: what came before is done */
#define PL_RG_M_MEMBAR                    0x07cu
#define PL_RG_M_TLB_FLUSH                 0x080u /* PL_RG_TLB_ONE (this channel) or PL_RG_TLB_ALL; waits */
/* Copy and fill, all engines */
#define PL_RG_M_EXECUTE                   0x300u
#define PL_RG_EXECUTE_COPY                1u /* as memmove() of each line */
#define PL_RG_EXECUTE_FILL1               2u /* pattern of 1, 2, 4 bytes, of which DST, COLUMNS, pitch are multiples */
#define PL_RG_EXECUTE_FILL2               3u
#define PL_RG_EXECUTE_FILL4               4u
#define PL_RG_M_SRC_HIGH                  0x30cu /* [F] */
#define PL_RG_M_SRC_LOW                   0x310u
#define PL_RG_M_DST_HIGH                  0x314u
#define PL_RG_M_DST_LOW                   0x318u
#define PL_RG_M_SRC_PITCH                 0x31cu
#define PL_RG_M_DST_PITCH                 0x320u
#define PL_RG_M_COLUMNS                   0x324u /* bytes of a line */
#define PL_RG_M_LINES                     0x328u /* lines; 1D: 1 */
#define PL_RG_M_PATTERN                   0x32cu
/* Launch, compute engine */
#define PL_RG_M_LAUNCH_HIGH               0x360u
#define PL_RG_M_LAUNCH_LOW                0x364u
#define PL_RG_M_LAUNCH                    0x368u /* [F] of the descriptor at that address */

#endif
