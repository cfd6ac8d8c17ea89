#include "link/address.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void test_good_addresses_are_read(void)
{
	static const struct {
		const char *text, *host, *port;
	} good[] = {
		{"tcp://127.0.0.1:7000", "127.0.0.1", "7000"},
		{"tcp://gpu-3.example.org:65535", "gpu-3.example.org", "65535"},
		{"tcp://[::1]:0", "::1", "0"},
		{"tcp://[fe80::1%eth0]:80", "fe80::1%eth0", "80"},
		{"tcp://h:007", "h", "7"},
		{"hook:;tcp://h:1", "h", "1"},
		{"hook:delay_us=500,bandwidth=100M;tcp://h:1", "h", "1"},
	};
	struct pl_address address;
	int r;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		r = pl_address_parse(good[i].text, &address);
		assert(!r && address.kind == PL_ADDRESS_TCP);
		assert(!strcmp(address.host, good[i].host) && !strcmp(address.port, good[i].port));
		assert(address.hooked == !strncmp(good[i].text, "hook:", 5));
	}
	assert(address.hook.delay_us == 500 && address.hook.bandwidth == 100000000);
	r = pl_address_parse("unix:/run/plenum/s;,=[", &address);
	assert(!r && address.kind == PL_ADDRESS_UNIX && !strcmp(address.path, "/run/plenum/s;,=["));
	assert(!address.hooked);
	r = pl_address_parse("hook:drop_after=3;unix:/s", &address);
	assert(!r && address.hooked && address.hook.drop_after == 3 && !strcmp(address.path, "/s"));
}

static void test_guests_addresses_are_read(void)
{
	struct pl_address address;
	int r = pl_address_parse("vsock:2:7000", &address);

	assert(!r && address.kind == PL_ADDRESS_VSOCK && address.cid == 2 && address.vsock_port == 7000);
	r = pl_address_parse("vsock:host:1", &address);
	assert(!r && address.cid == 2);
	r = pl_address_parse("vsock:local:any", &address);
	assert(!r && address.cid == 1 && address.vsock_port == UINT32_MAX);
	r = pl_address_parse("vsock:any:4294967294", &address);
	assert(!r && address.cid == UINT32_MAX && address.vsock_port == 4294967294);
	r = pl_address_parse("vsock:/run/vm.vsock_7000", &address);
	assert(!r && address.kind == PL_ADDRESS_VSOCK_UNIX && !strcmp(address.path, "/run/vm.vsock_7000"));
	r = pl_address_parse("ivshmem:;tcp://10.0.2.2:7000", &address);
	assert(!r && address.in_region && !address.region[0] && !address.region_bytes);
	assert(address.kind == PL_ADDRESS_TCP && !strcmp(address.host, "10.0.2.2"));
	r = pl_address_parse("ivshmem:/dev/shm/vm0,size=512M;vsock:any:7000", &address);
	assert(!r && !strcmp(address.region, "/dev/shm/vm0") && address.region_bytes == 512u << 20);
	assert(address.kind == PL_ADDRESS_VSOCK);
	r = pl_address_parse("hook:delay_us=1;ivshmem:/dev/shm/vm0;unix:/s", &address);
	assert(!r && address.hooked && address.in_region && address.kind == PL_ADDRESS_UNIX);
}

static void test_who_is_known_by_uid(void)
{
	assert(pl_link_address_is_local("unix:/s;tcp://") && pl_link_address_is_local("ivshmem:/f;unix:/s"));
	assert(!pl_link_address_is_local("ivshmem:/f;tcp://h:1") && !pl_link_address_is_local("vsock:/s"));
	assert(!pl_link_address_is_local("ivshmem:unix:/s") && !pl_link_address_is_local(""));
	assert(!strcmp(pl_link_address_socket("unix:/a;b"), "/a;b"));
	assert(!strcmp(pl_link_address_socket("vsock:/a"), "/a"));
	assert(!strcmp(pl_link_address_socket("ivshmem:/f;unix:/a"), "/a") && !pl_link_address_socket("tcp://h:1"));
}

static void test_bad_addresses_are_refused(void)
{
	static const char *const bad[] = {
		"",
		"tcp",
		"tcp:",
		"tcp://",
		"tcp://:1",
		"tcp://h",
		"tcp://h:",
		"tcp://h:x",
		"tcp://h:1x",
		"tcp://h:65536",
		"tcp://h:99999999999999999999",
		"tcp://h:-1",
		"tcp://h: 1",
		"tcp://::1:80",
		"tcp://[::1]",
		"tcp://[::1",
		"tcp://[]:1",
		"tcp://[::1]80",
		"unix:",
		"unix:relative",
		"udp://h:1",
		"/run/s",
		"hook:",
		"hook:;",
		"hook:delay_us=1",
		"hook:delay_us;tcp://h:1",
		"hook:x=1;tcp://h:1",
		"hook:delay_us=;tcp://h:1",
		"hook:delay_us=1,;tcp://h:1",
		"hook:delay_us=-1;tcp://h:1",
		"hook:delay_us=1x;tcp://h:1",
		"hook:bandwidth=99999999999999999999;tcp://h:1",
		"hook:bandwidth=99999999999G;tcp://h:1",
		"hook:;hook:;tcp://h:1",
		"vsock:",
		"vsock:2",
		"vsock:2:",
		"vsock::7000",
		"vsock:x:7000",
		"vsock:-1:7000",
		"vsock:2:4294967296",
		"vsock:4294967295:1",
		"vsock:2:7000x",
		"vsock:relative",
		"ivshmem:",
		"ivshmem:/f",
		"ivshmem:;",
		"ivshmem:f;tcp://h:1",
		"ivshmem:/f;ivshmem:/f;tcp://h:1",
		"ivshmem:/f;hook:;tcp://h:1",
		"ivshmem:/f,;tcp://h:1",
		"ivshmem:/f,size=;tcp://h:1",
		"ivshmem:/f,size=0;tcp://h:1",
		"ivshmem:/f,size=1X;tcp://h:1",
		"ivshmem:/f,size=-1;tcp://h:1",
		"ivshmem:/f,size=99999999999999999999G;tcp://h:1",
		"ivshmem:/f,name=x;tcp://h:1",
	};
	struct pl_address address, before;
	char text[PL_LINK_ADDRESS_MAX + 1];
	int r;

	memset(&address, 0x5a, sizeof(address));
	before = address;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r = pl_address_parse(bad[i], &address);
		if (r != -EINVAL)
			fprintf(stderr, "accepted: \"%s\"\n", bad[i]);
		assert(r == -EINVAL);
		assert(!memcmp(&address, &before, sizeof(address))); /* untouched */
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "unix:/", 6);
	r = pl_address_parse(text, &address);
	assert(r == -EINVAL);
	text[5 + PL_ADDRESS_PATH_MAX] = '\0'; /* one too many */
	r = pl_address_parse(text, &address);
	assert(r == -EINVAL);
	text[5 + PL_ADDRESS_PATH_MAX - 1] = '\0';
	r = pl_address_parse(text, &address);
	assert(!r);
	memset(text, 'h', sizeof(text) - 1);
	memcpy(text, "tcp://", 6);
	memcpy(text + 6 + PL_ADDRESS_HOST_MAX, ":1", 3);
	r = pl_address_parse(text, &address);
	assert(r == -EINVAL);
	memcpy(text + 6 + PL_ADDRESS_HOST_MAX - 1, ":1", 3);
	r = pl_address_parse(text, &address);
	assert(!r);
}

static void test_commas_in_options_do_not_end_an_address(void)
{
	static const char *const expected[] = { "unix:/a", "hook:delay_us=5,seed=1;tcp://h:1",
						"ivshmem:/f,size=1M;tcp://h:2", "nonsense:", "vsock:2:7" };
	const char *list = ",unix:/a,,hook:delay_us=5,seed=1;tcp://h:1,ivshmem:/f,size=1M;tcp://h:2,"
			   "nonsense:,vsock:2:7,";
	const char *address;
	size_t length, count = 0;

	while ((length = pl_address_next(&list, &address))) {
		assert(count < sizeof(expected) / sizeof(expected[0]));
		if (length != strlen(expected[count]) || memcmp(address, expected[count], length))
			fprintf(stderr, "%zu: \"%.*s\"\n", count, (int)length, address);
		assert(length == strlen(expected[count]) && !memcmp(address, expected[count], length));
		count++;
	}
	assert(count == sizeof(expected) / sizeof(expected[0]) && !*list);
	assert(!pl_address_next(&list, &address));
}

int main(void)
{
	test_good_addresses_are_read();
	test_guests_addresses_are_read();
	test_who_is_known_by_uid();
	test_bad_addresses_are_refused();
	test_commas_in_options_do_not_end_an_address();
	return 0;
}
