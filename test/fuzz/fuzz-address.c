/* Addresses and the options of a hook: a line of text; it may come from a program's environment. */
#include "fuzz.h"
#include "link/address.h"

static void address_check(const struct pl_address *address)
{
	pl_fuzz_check(address->kind == PL_ADDRESS_UNIX || address->kind == PL_ADDRESS_TCP);
	pl_fuzz_check(memchr(address->path, '\0', sizeof(address->path)) &&
		      memchr(address->host, '\0', sizeof(address->host)) &&
		      memchr(address->port, '\0', sizeof(address->port)));
	if (address->kind == PL_ADDRESS_UNIX)
		pl_fuzz_check(address->path[0] == '/');
	else
		pl_fuzz_check(address->host[0] && atoi(address->port) >= 0 && atoi(address->port) <= 65535);
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
