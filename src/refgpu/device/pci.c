/* PCI configuration space: a type 0 header and MSI-X.  The embedder maps BARs; what it wrote there is only kept. */
#include <string.h>

#include "refgpu/device/rg.h"

enum { /* offsets */
       VENDOR = 0x00,
       DEVICE = 0x02,
       COMMAND = 0x04,
       STATUS = 0x06,
       REVISION = 0x08,
       CLASS = 0x09,
       CACHE_LINE = 0x0c,
       BARS = 0x10,
       SUBSYSTEM_VENDOR = 0x2c,
       SUBSYSTEM = 0x2e,
       CAPABILITIES = 0x34,
       LINE = 0x3c,
       PIN = 0x3d,
       MSIX = PL_RG_PCI_CAP_MSIX,
};

#define COMMAND_WRITABLE 0x0406u /* memory, bus master, no INTx */
#define COMMAND_NO_LINE  0x0400u
#define STATUS_LIST      0x0010u
#define BAR_64_PREFETCH  0xcu
#define MSIX_ID          0x11u
#define MSIX_ENABLE      0x8000u
#define MSIX_MASK        0x4000u

static void put(struct pl_rg *rg, uint32_t offset, uint32_t bytes, uint32_t value, uint32_t writable)
{
	for (uint32_t i = 0; i < bytes; i++) {
		rg->pci.bytes[offset + i] = (uint8_t)(value >> 8 * i);
		rg->pci.writable[offset + i] = (uint8_t)(writable >> 8 * i);
	}
}

static uint32_t get(const struct pl_rg *rg, uint32_t offset, uint32_t bytes)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < bytes; i++)
		value |= (uint32_t)rg->pci.bytes[offset + i] << 8 * i;
	return value;
}

/* What of a BAR can be written tells its size. */
static void bar_put(struct pl_rg *rg, uint32_t index, uint64_t bytes, bool wide)
{
	uint64_t mask = ~(bytes - 1);

	put(rg, BARS + 4 * index, 4, wide ? BAR_64_PREFETCH : 0, (uint32_t)mask);
	if (wide)
		put(rg, BARS + 4 * index + 4, 4, 0, (uint32_t)(mask >> 32));
}

void pl_rg_pci_init(struct pl_rg *rg)
{
	put(rg, VENDOR, 2, PL_RG_PCI_VENDOR, 0);
	put(rg, DEVICE, 2, PL_RG_PCI_DEVICE, 0);
	put(rg, COMMAND, 2, 0, COMMAND_WRITABLE);
	put(rg, STATUS, 2, STATUS_LIST, 0);
	put(rg, REVISION, 1, PL_RG_ID_VALUE & 0xff, 0);
	put(rg, CLASS, 3, PL_RG_PCI_CLASS, 0);
	put(rg, CACHE_LINE, 1, 0, 0xff);
	bar_put(rg, 0, PL_RG_BAR0_BYTES, false);
	bar_put(rg, 1, pl_rg_bar_bytes(rg, 1), true);
	bar_put(rg, 3, pl_rg_bar_bytes(rg, 3), true);
	put(rg, SUBSYSTEM_VENDOR, 2, PL_RG_PCI_VENDOR, 0);
	put(rg, SUBSYSTEM, 2, PL_RG_PCI_DEVICE, 0);
	put(rg, CAPABILITIES, 1, MSIX, 0);
	put(rg, LINE, 1, 0, 0xff);
	put(rg, PIN, 1, 1, 0);
	put(rg, MSIX, 2, MSIX_ID, 0); /* and no next */
	put(rg, MSIX + 2, 2, PL_RG_VECTORS - 1, MSIX_ENABLE | MSIX_MASK);
	put(rg, MSIX + 4, 4, PL_RG_MSIX_TABLE, 0); /* in BAR 0 */
	put(rg, MSIX + 8, 4, PL_RG_MSIX_PENDING, 0);
}

static bool is_good(uint32_t offset, uint32_t bytes)
{
	return (bytes == 1 || bytes == 2 || bytes == 4) && offset % bytes == 0 && offset < PL_RG_PCI_BYTES;
}

uint32_t pl_rg_pci_read(struct pl_rg *rg, uint32_t offset, uint32_t bytes)
{
	uint32_t value;

	pl_rg_count(rg, PL_RG_C_reads_pci, 1);
	if (!is_good(offset, bytes))
		return UINT32_MAX;
	pthread_mutex_lock(&rg->lock);
	value = get(rg, offset, bytes);
	pthread_mutex_unlock(&rg->lock);
	return value;
}

void pl_rg_pci_write(struct pl_rg *rg, uint32_t offset, uint32_t bytes, uint32_t value)
{
	uint32_t command, control;

	pl_rg_count(rg, PL_RG_C_writes_pci, 1);
	if (!is_good(offset, bytes))
		return;
	pthread_mutex_lock(&rg->lock);
	for (uint32_t i = 0; i < bytes; i++) {
		uint8_t mask = rg->pci.writable[offset + i], byte = (uint8_t)(value >> 8 * i);
		rg->pci.bytes[offset + i] = (uint8_t)((rg->pci.bytes[offset + i] & ~mask) | (byte & mask));
	}
	command = get(rg, COMMAND, 2);
	control = get(rg, MSIX + 2, 2);
	pthread_mutex_unlock(&rg->lock);
	pl_rg_intr_mode(rg, control & MSIX_ENABLE, control & MSIX_MASK, command & COMMAND_NO_LINE);
}
