#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "nvml-api.h"
#include "nvml/gpm.h"

#define SUPPORT_VERSION 1u
#define METRICS_VERSION 1u

struct nvmlGpmSample_st { /* nothing is ever read into it */
	struct nvmlGpmSample_st *next;
};

struct metrics { /* how nvmlGpmMetricsGet_t begins */
	unsigned int version, count;
	nvmlGpmSample_t sample[2];
};

static struct {
	pthread_mutex_t lock;
	struct nvmlGpmSample_st *first; /* under lock */
	unsigned int n;
} samples = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Called with the lock held: where it hangs; NULL: it is none. */
static struct nvmlGpmSample_st **sample_at(nvmlGpmSample_t sample)
{
	struct nvmlGpmSample_st **at = &samples.first;

	while (*at && *at != sample)
		at = &(*at)->next;
	return *at ? at : NULL;
}

static bool is_sample(nvmlGpmSample_t sample)
{
	bool is;

	pthread_mutex_lock(&samples.lock);
	is = sample && sample_at(sample);
	pthread_mutex_unlock(&samples.lock);
	return is;
}

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *gpm_sample)
{
	struct nvmlGpmSample_st *sample = NULL;
	nvmlReturn_t r = pl_nvml_gpm_enter(NULL);

	if (r || !gpm_sample)
		return r ? r : NVML_ERROR_INVALID_ARGUMENT;
	pthread_mutex_lock(&samples.lock);
	if (samples.n < PL_NVML_GPM_SAMPLES_MAX)
		sample = malloc(sizeof(*sample));
	if (sample) {
		sample->next = samples.first;
		samples.first = sample;
		samples.n++;
		*gpm_sample = sample;
	}
	pthread_mutex_unlock(&samples.lock);
	return sample ? NVML_SUCCESS : NVML_ERROR_MEMORY;
}

nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t gpm_sample)
{
	struct nvmlGpmSample_st **at;
	nvmlReturn_t r = pl_nvml_gpm_enter(NULL);

	if (r)
		return r;
	pthread_mutex_lock(&samples.lock);
	at = gpm_sample ? sample_at(gpm_sample) : NULL;
	if (at) {
		*at = gpm_sample->next;
		samples.n--;
		free(gpm_sample);
	}
	pthread_mutex_unlock(&samples.lock);
	return at ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t gpm_sample)
{
	nvmlReturn_t r = pl_nvml_gpm_enter(&device);

	if (r)
		return r;
	return is_sample(gpm_sample) ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpu_instance_id, nvmlGpmSample_t gpm_sample)
{
	(void)gpu_instance_id;
	return nvmlGpmSampleGet(device, gpm_sample);
}

nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *metrics_get)
{
	const struct metrics *metrics = (const struct metrics *)(const void *)metrics_get;
	nvmlReturn_t r = pl_nvml_gpm_enter(NULL);

	if (r || !metrics)
		return r ? r : NVML_ERROR_INVALID_ARGUMENT;
	if (metrics->version != METRICS_VERSION)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	if (!is_sample(metrics->sample[0]) || !is_sample(metrics->sample[1]))
		return NVML_ERROR_INVALID_ARGUMENT;
	return NVML_ERROR_NOT_SUPPORTED; /* no device has filled them */
}

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *gpm_support)
{
	nvmlReturn_t r = pl_nvml_gpm_enter(&device);

	if (r || !gpm_support)
		return r ? r : NVML_ERROR_INVALID_ARGUMENT;
	if (gpm_support->version != SUPPORT_VERSION)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	gpm_support->isSupportedDevice = 0;
	return NVML_SUCCESS;
}
