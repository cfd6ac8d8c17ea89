#include "cuda/visible.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NONE      UINT32_MAX
#define UUID_TEXT 37u /* 8-4-4-4-12 and its end */

static void uuid_write(char text[UUID_TEXT], const uint8_t *uuid)
{
	size_t at = 0;

	for (unsigned int i = 0; i < PL_CUDA_UUID_BYTES; i++)
		at += (size_t)snprintf(text + at, UUID_TEXT - at,
				       i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

/* The only device whose UUID begins so. */
static uint32_t by_uuid(const char *prefix, size_t length, const uint8_t *uuids, uint32_t count)
{
	uint32_t found = NONE;
	char text[UUID_TEXT];

	if (length >= UUID_TEXT)
		return NONE;
	for (uint32_t i = 0; i < count; i++) {
		uuid_write(text, uuids + (size_t)i * PL_CUDA_UUID_BYTES);
		if (strncasecmp(text, prefix, length))
			continue;
		if (found != NONE)
			return NONE;
		found = i;
	}
	return found;
}

/* A number may have anything behind it, as where strtoul() reads it. */
static uint32_t by_number(const char *text, size_t length, uint32_t count)
{
	uint64_t number = 0;
	size_t at = length && *text == '+' ? 1 : 0;

	if (at == length || !isdigit((unsigned char)text[at]))
		return NONE;
	for (; at < length && isdigit((unsigned char)text[at]) && number < count; at++)
		number = number * 10 + (uint64_t)(text[at] - '0');
	return number < count ? (uint32_t)number : NONE;
}

static uint32_t entry_find(const char *text, size_t length, const uint8_t *uuids, uint32_t count)
{
	while (length && isspace((unsigned char)*text))
		text++, length--;
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	if (length >= 4 && (!strncmp(text, "GPU-", 4) || !strncmp(text, "MIG-", 4)))
		return by_uuid(text + 4, length - 4, uuids, count);
	return by_number(text, length, count);
}

static bool has(const uint32_t *list, uint32_t count, uint32_t device)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] == device)
			return true;
	return false;
}

uint32_t pl_cuda_visible(const char *list, const uint8_t *uuids, uint32_t count, uint32_t *order_out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; !list && i < count; i++)
		order_out[n++] = i;
	while (list) {
		size_t length = strcspn(list, ",");
		uint32_t device = entry_find(list, length, uuids, count);

		if (device == NONE)
			break;
		if (has(order_out, n, device))
			return 0;
		order_out[n++] = device;
		list = list[length] ? list + length + 1 : NULL;
	}
	return n;
}
