/* For which device a program compiles. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "refgpu/driver/identity.h"
#include "refgpu/nvrtc/nvrtc.h"

#define NAME_BYTES 256

static bool hardware_alone;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static void *driver_symbol(const char *name)
{
	static void *driver;
	void *symbol = dlsym(RTLD_DEFAULT, name);

	if (!symbol && !driver)
		driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	return symbol || !driver ? symbol : dlsym(driver, name);
}

static void devices_look(void)
{
	int (*init)(unsigned int) = (int (*)(unsigned int))driver_symbol("cuInit");
	int (*count_get)(int *) = (int (*)(int *))driver_symbol("cuDeviceGetCount");
	int (*device_get)(int *, int) = (int (*)(int *, int))driver_symbol("cuDeviceGet");
	int (*name_get)(char *, int, int) = (int (*)(char *, int, int))driver_symbol("cuDeviceGetName");
	char name[NAME_BYTES];
	int count = 0, device;

	if (!init || !count_get || !device_get || !name_get || init(0) || count_get(&count) || count < 1)
		return;
	for (int i = 0; i < count; i++)
		if (device_get(&device, i) || name_get(name, sizeof(name), device) || !strcmp(name, PL_CU_DEVICE_NAME))
			return;
	hardware_alone = true;
}

bool pl_rtc_hardware_alone(void)
{
	pthread_once(&asked, devices_look);
	return hardware_alone;
}
