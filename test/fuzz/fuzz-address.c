/* Addresses and the options of a hook: a line of text; it may come from a program's environment. */
#include "fuzz.h"
#include "link/address.h"

static void address_check(const struct pl_address *address)
{
	pl_fuzz_check(memchr(address->path, '\0', sizeof(address->path)) &&
		      memchr(address->host, '\0', sizeof(address->host)) &&
		      memchr(address->port, '\0', sizeof(address->port)) &&
		      memchr(address->region, '\0', sizeof(address->region)));
	pl_fuzz_check(!address->region[0] || (address->in_region && address->region[0] == '/'));
	pl_fuzz_check(!address->region_bytes || address->in_region);
	switch (address->kind) {
	case PL_ADDRESS_UNIX:
	case PL_ADDRESS_VSOCK_UNIX:
		pl_fuzz_check(address->path[0] == '/');
		break;
	case PL_ADDRESS_TCP:
		pl_fuzz_check(address->host[0] && atoi(address->port) >= 0 && atoi(address->port) <= 65535);
		break;
	case PL_ADDRESS_VSOCK:
		pl_fuzz_check(!address->path[0] && !address->host[0]);
		break;
	default:
		pl_fuzz_check(false);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exact: one byte too far is seen */
	struct pl_hook_options options;
	struct pl_address address;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (!pl_address_parse(text, &address))
		address_check(&address);
	(void)pl_hook_options_parse(text, &options);
	free(text);
	return 0;
}
