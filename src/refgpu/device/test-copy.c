/* Copies and fills against plain C on an image of the same memory. */
#include "rig.h"

#define PAGE   4096u
#define PAGES  96u /* of the space that is copied in */
#define BYTES  (PAGES * PAGE)
#define VA(at) (RIG_DATA + (at))

struct bench {
	struct rig rig;
	struct rig_space space;
	struct rig_channel channel;
	uint8_t *page[PAGES]; /* host memory of each */
	uint8_t *image;       /* what it has to hold */
	uint64_t seed;
};

struct job {
	uint64_t src, dst; /* offsets */
	uint32_t src_pitch, dst_pitch, columns, lines;
};

static uint32_t draw(struct bench *bench, uint32_t below)
{
	bench->seed = bench->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((bench->seed >> 33) % below);
}

/* Pages of VRAM and of system memory, in no order, some contiguous. */
static void bench_begin(struct bench *bench, uint32_t mode)
{
	uint64_t vram;

	rig_create(&bench->rig, PL_RG_CLOCK_VIRTUAL);
	rig_space(&bench->space, &bench->rig, mode);
	vram = rig_vram(&bench->rig, (uint64_t)PAGES * PAGE);
	bench->image = malloc(BYTES);
	assert(bench->image);
	bench->seed = 99 + mode;
	for (uint32_t i = 0; i < PAGES; i++) {
		uint32_t place = i / 8 % 3 == 2 ? i ^ 1 : i; /* some neighbours are swapped */
		bool system = i / 4 % 2;

		rig_map(&bench->space, VA(i * PAGE), system ? RIG_BUS + place * PAGE : vram + place * PAGE, PAGE,
			system ? RIG_SYSTEM : 0);
		bench->page[i] = system ? bench->rig.system + place * PAGE : bench->rig.vram + vram + place * PAGE;
		for (uint32_t b = 0; b < PAGE; b++)
			bench->page[i][b] = bench->image[i * PAGE + b] = (uint8_t)draw(bench, 256);
	}
	rig_channel(&bench->channel, &bench->space, 1, PL_RG_COPY1);
}

static void bench_end(struct bench *bench)
{
	free(bench->image);
	rig_destroy(&bench->rig);
}

static void bench_compare(struct bench *bench)
{
	for (uint32_t i = 0; i < PAGES; i++)
		assert(!memcmp(bench->page[i], bench->image + i * PAGE, PAGE));
}

static void execute(struct bench *bench, const struct job *job, uint32_t what, uint32_t pattern)
{
	struct rig_channel *channel = &bench->channel;

	rig_begin(channel);
	rig_word(channel, PL_RG_HEADER(PL_RG_INCREASING, PL_RG_M_SRC_HIGH, 9));
	rig_word(channel, (uint32_t)(VA(job->src) >> 32));
	rig_word(channel, (uint32_t)VA(job->src));
	rig_word(channel, (uint32_t)(VA(job->dst) >> 32));
	rig_word(channel, (uint32_t)VA(job->dst));
	rig_word(channel, job->src_pitch);
	rig_word(channel, job->dst_pitch);
	rig_word(channel, job->columns);
	rig_word(channel, job->lines);
	rig_word(channel, pattern);
	rig_method(channel, PL_RG_M_EXECUTE, what);
	rig_submit(channel);
	rig_wait_idle(channel);
}

/* Each line as memmove(), lines in the order that keeps a move of all of them right. */
static void image_copy(struct bench *bench, const struct job *job)
{
	for (uint32_t i = 0; i < job->lines; i++) {
		uint32_t line = job->dst > job->src ? job->lines - 1 - i : i;
		memmove(bench->image + job->dst + (uint64_t)line * job->dst_pitch,
			bench->image + job->src + (uint64_t)line * job->src_pitch, job->columns);
	}
}

static void test_random_copies(void)
{
	for (uint32_t mode = PL_RG_MODE_F2; mode <= PL_RG_MODE_G_SYSTEM; mode++) {
		struct bench bench;

		bench_begin(&bench, mode);
		for (int i = 0; i < 1000; i++) {
			struct job job = { .lines = 1 };
			if (i % 2) {
				job.columns = draw(&bench, 5000);
				job.lines = 1 + draw(&bench, 20);
				job.src_pitch = job.columns + draw(&bench, 2) * draw(&bench, 500);
				job.dst_pitch = job.columns + draw(&bench, 2) * draw(&bench, 500);
				job.src = draw(&bench, BYTES - 20 * 5500);
				job.dst = i % 4 == 1 ? draw(&bench, BYTES - 20 * 5500) : job.src + draw(&bench, 100);
			} else {
				job.columns = draw(&bench, i % 4 ? 200 : 100000);
				job.src = draw(&bench, BYTES - 100000);
				job.dst = i % 8 ? draw(&bench, BYTES - 100000) : job.src + draw(&bench, 3);
				job.src_pitch = job.dst_pitch = draw(&bench, 7); /* means nothing */
			}
			if (job.src_pitch == job.columns && job.dst_pitch == job.columns) {
				job.columns *= job.lines; /* one line for the device */
				job.lines = 1;
			}
			if (job.dst + (uint64_t)job.columns * job.lines > BYTES || job.dst > BYTES - 20 * 5500)
				continue;
			execute(&bench, &job, PL_RG_EXECUTE_COPY, 0);
			image_copy(&bench, &job);
			if (i % 50 == 0)
				bench_compare(&bench);
		}
		bench_compare(&bench);
		assert(!rig_read(&bench.rig, PL_RG_FAULT_COUNT));
		bench_end(&bench);
	}
}

static void image_fill(struct bench *bench, const struct job *job, uint32_t element, uint32_t pattern)
{
	for (uint32_t line = 0; line < job->lines; line++) {
		for (uint32_t i = 0; i < job->columns; i++)
			bench->image[job->dst + (uint64_t)line * job->dst_pitch + i] =
				(uint8_t)(pattern >> 8 * (i % element));
	}
}

static void test_random_fills(void)
{
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F3);
	for (int i = 0; i < 1500; i++) {
		uint32_t log = (uint32_t)i % 3, element = 1u << log, pattern = draw(&bench, UINT32_MAX);
		struct job job = { .lines = 1 };

		job.dst = draw(&bench, BYTES - 20 * 5500) / element * element;
		job.columns = draw(&bench, i % 5 ? 300 : 5000) / element * element;
		if (i % 2) {
			job.lines = draw(&bench, 20);
			job.dst_pitch = draw(&bench, 5500) / element * element;
		}
		execute(&bench, &job, PL_RG_EXECUTE_FILL1 + log, pattern);
		image_fill(&bench, &job, element, pattern);
		if (i % 50 == 0)
			bench_compare(&bench);
	}
	bench_compare(&bench);
	assert(!rig_read(&bench.rig, PL_RG_FAULT_COUNT));
	bench_end(&bench);
}

static void dies(struct bench *bench, const struct job *job, uint32_t what, uint32_t code)
{
	execute(bench, job, what, 0);
	assert(rig_state(&bench->channel) & PL_RG_CS_DEAD);
	assert(rig_fault(&bench->rig).words[PL_RG_FW_CODE] == code);
	rig_write(&bench->rig, PL_RG_CHANNEL(1), 0);
	rig_channel(&bench->channel, &bench->space, 1, PL_RG_COPY1);
}

static void test_lies(void)
{
	const struct job odd = { .dst = 1, .columns = 4, .lines = 1 }, half = { .dst = 2, .columns = 6, .lines = 1 };
	const struct job pitch = { .dst = 4, .columns = 4, .lines = 2, .dst_pitch = 6 };
	const struct job far = { .src = 0, .dst = BYTES - 8, .columns = 9, .lines = 1 };
	const struct job from_far = { .src = BYTES - 8, .dst = 0, .columns = 9, .lines = 1 };
	const struct job wraps = { .src = 0 - RIG_DATA - 8, .dst = 0, .columns = 16, .lines = 1 };
	const struct job down = { .src = 0 - RIG_DATA - 8, .dst = 0 - RIG_DATA - 4, .columns = 64, .lines = 1 };
	const struct job huge = {
		.dst = 16, .columns = UINT32_MAX, .lines = UINT32_MAX, .src_pitch = UINT32_MAX, .dst_pitch = UINT32_MAX
	};
	const struct job nothing = { .src = 1ull << 40, .lines = UINT32_MAX };
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	dies(&bench, &odd, PL_RG_EXECUTE_FILL2, PL_RG_FAULT_BAD_ARGUMENT);
	dies(&bench, &half, PL_RG_EXECUTE_FILL4, PL_RG_FAULT_BAD_ARGUMENT);
	dies(&bench, &pitch, PL_RG_EXECUTE_FILL4, PL_RG_FAULT_BAD_ARGUMENT);
	dies(&bench, &far, PL_RG_EXECUTE_COPY, PL_RG_FAULT_PAGE_NOT_PRESENT);
	dies(&bench, &far, PL_RG_EXECUTE_FILL1, PL_RG_FAULT_PAGE_NOT_PRESENT);
	dies(&bench, &from_far, PL_RG_EXECUTE_COPY, PL_RG_FAULT_PAGE_NOT_PRESENT);
	dies(&bench, &wraps, PL_RG_EXECUTE_COPY, PL_RG_FAULT_VSPACE_LIMIT);
	dies(&bench, &down, PL_RG_EXECUTE_COPY, PL_RG_FAULT_PT_NOT_PRESENT);
	dies(&bench, &huge, PL_RG_EXECUTE_COPY, PL_RG_FAULT_VSPACE_LIMIT); /* from its last line on */
	execute(&bench, &nothing, PL_RG_EXECUTE_COPY, 0);
	assert(!(rig_state(&bench.channel) & PL_RG_CS_DEAD));
	bench_end(&bench);
}

/* What is copied before the fault stays; what a fault names is the first byte that is not there. */
static void test_a_copy_into_read_only_memory_stops_there(void)
{
	const struct job job = { .src = 0, .dst = 5 * PAGE - 16, .columns = 64, .lines = 1 };
	struct rig_fault fault;
	struct bench bench;

	bench_begin(&bench, PL_RG_MODE_F2);
	rig_map(&bench.space, VA(5 * PAGE), RIG_BUS, PAGE, RIG_SYSTEM | RIG_READ_ONLY);
	rig_flush(&bench.space);
	execute(&bench, &job, PL_RG_EXECUTE_COPY, 0);
	fault = rig_fault(&bench.rig);
	assert(fault.words[PL_RG_FW_CODE] == PL_RG_FAULT_READ_ONLY);
	assert(fault.words[PL_RG_FW_ADDRESS] == VA(5 * PAGE) && fault.words[PL_RG_FW_ACCESS] == PL_RG_WRITE);
	assert(fault.words[PL_RG_FW_PC_HIGH] == PL_RG_M_EXECUTE && fault.words[PL_RG_FW_PC] == PL_RG_EXECUTE_COPY);
	assert(!memcmp(bench.page[4] + PAGE - 16, bench.page[0], 16));
	bench_end(&bench);
}

int main(void)
{
	test_random_copies();
	test_random_fills();
	test_lies();
	test_a_copy_into_read_only_memory_stops_there();
	return 0;
}
