/* What the random calls of graphs' nodes share: differ-nodes.c has the nodes, differ-execs.c the executable graphs.
 *
 * Nodes without an edge between them have no order, and a node may run in several copies of its graph at once: so all
 * parameters that a node is ever given write bytes of their own, which they share with no others, and read only what no
 * node writes.
 */
#ifndef PL_TEST_CUDA_DIFFER_NODES_H
#define PL_TEST_CUDA_DIFFER_NODES_H

#include "differ.h"

enum {
	GRAPHS = 3, /* few, so that each gets several nodes */
	KERNELS = 3,
	EVENTS = 3,
	STREAMS = 2,
	CELL = 64,
	SOURCE = 4096, /* at the head of the area: written once */
	AREA = 256 * 1024,
	MANY = 12,
	WAY_UNKNOWN = 9
};

struct made_parts {
	bool ready;
	CUmodule module;
	CUfunction kernel[KERNELS];
	CUevent event[EVENTS];
	CUstream stream[STREAMS];
	CUdeviceptr area;
	uint32_t cells, host_cells;
};
extern struct made_parts own;
extern const char *const kernel_names[KERNELS];
extern unsigned char source[SOURCE];
extern CUgraphNodeType types[SLOTS]; /* of the nodes in the slots */
extern uint32_t ways[SLOTS];         /* of copies: as make_copy() has them */
/* Graphs with copies of the program's memory: remoted, the server has a node more for each, which nobody sees. */
extern bool shadowed[GRAPHS], shadowed_exec[GRAPHS];
extern CUdeviceptr allocated[SLOTS]; /* what a node in that slot allocates */
/* A call gets one fault at most: which of two is told is open. */
extern bool wrong;

struct kernel_args {
	CUdeviceptr at[3];
	int value;
	void *params[4];
	void *extra[5];
	size_t bytes;
	unsigned char packed[32];
};

#define KERNEL_TEXT(k, p)                                                                                              \
	"%s%s, %u %u %u, %u %u %u, %u, %s%s", (p).func ? kernel_names[k] : "none",                                     \
		(p).func && (p).func != own.kernel[k] ? " gone" : "", (p).gridDimX, (p).gridDimY, (p).gridDimZ,        \
		(p).blockDimX, (p).blockDimY, (p).blockDimZ, (p).sharedMemBytes, (p).kernelParams ? "params" : "",     \
		(p).extra ? "extra" : ""

#define MEMSET_TEXT(p)                                                                                                 \
	"area+%lld, %zu, %#x, %u, %zu, %zu", (long long)((p).dst - own.area), (p).pitch, (p).value, (p).elementSize,   \
		(p).width, (p).height

bool fault(uint32_t count);
CUcontext context0(void);
/* All here is of the first context: a graph outlives a context, and who is the worse for it is open. */
bool begin(void);
CUdeviceptr cell(void);
void *host_cell(void);
void settled(CUstream stream);
/* An address by what it is of ours. */
void out_address(const char *what, uint64_t address);
void out_event(CUevent event);
int a_graph(void);
int graph_room(void);
CUgraph graph_of(int i);
CUgraphNode node_of(int i);
/* A node of the kind, where there is one; now and then any. */
int a_node(CUgraphNodeType type);
void graph_gone(int g);
int make_kernel(CUDA_KERNEL_NODE_PARAMS *to, struct kernel_args *args);
void make_memset(CUDA_MEMSET_NODE_PARAMS *to);
const char *make_copy(CUDA_MEMCPY3D *to, uint32_t way);
int make_event(CUevent *to);
void make_alloc(CUDA_MEM_ALLOC_NODE_PARAMS *to);
CUgraphNodeType a_kind(void);

/* ---- differ-nodes.c ---- */

/* x < 0: the node itself. */
void change(int x, int i, CUgraphNodeType type);
/* Nodes that came out: by their slots. */
void out_nodes(const CUgraphNode *list, size_t count);
int an_exec(void);
void launch(CUgraphExec exec, int x);

#endif
