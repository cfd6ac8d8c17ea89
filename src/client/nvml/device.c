/* One list of devices over all servers, and what concerns two of them. */
#include <stddef.h>
#include <string.h>

#include "client/nvml/state.h"
#include "nvml-records.h"
#include "nvml/gpm.h"

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *device_count)
{
	const struct pl_nvml_server *server;
	unsigned int count = 0;

	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!device_count)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; (server = pl_nvml_server(i)); i++)
		count += server->count;
	*device_count = count;
	return NVML_SUCCESS;
}

nvmlReturn_t pl_nvml_gpm_enter(const nvmlDevice_t *device)
{
	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	return !device || pl_nvml_session_of(PL_NVML_KIND_device, *device) ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *device_count)
{
	return nvmlDeviceGetCount_v2(device_count);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
	const struct pl_nvml_server *server;
	nvmlReturn_t r;

	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!device)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; (server = pl_nvml_server(i)); i++) {
		if (index - server->first >= server->count)
			continue;
		r = pl_nvml_live(server);
		return r ? r : pl_nvml_on_nvmlDeviceGetHandleByIndex_v2(server->session, index - server->first, device);
	}
	return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
	return nvmlDeviceGetHandleByIndex_v2(index, device);
}

/* The first server that knows it; else what the first one said that did not just not find it. */
#define SEARCH(function, key, device)                                                                                  \
	do {                                                                                                           \
		nvmlReturn_t worst = NVML_ERROR_NOT_FOUND;                                                             \
		const struct pl_nvml_server *server;                                                                   \
		if (!pl_nvml_started())                                                                                \
			return NVML_ERROR_UNINITIALIZED;                                                               \
		if (!(key) || !(device))                                                                               \
			return NVML_ERROR_INVALID_ARGUMENT;                                                            \
		for (uint32_t i = 0; (server = pl_nvml_server(i)); i++) {                                              \
			nvmlReturn_t r = pl_nvml_live(server);                                                         \
			if (!r)                                                                                        \
				r = pl_nvml_on_##function(server->session, key, device);                               \
			if (!r)                                                                                        \
				return r;                                                                              \
			if (worst == NVML_ERROR_NOT_FOUND)                                                             \
				worst = r;                                                                             \
		}                                                                                                      \
		return worst;                                                                                          \
	} while (0)

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
	SEARCH(nvmlDeviceGetHandleBySerial, serial, device);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
	SEARCH(nvmlDeviceGetHandleByUUID, uuid, device);
}

nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t *uuid, nvmlDevice_t *device)
{
	SEARCH(nvmlDeviceGetHandleByUUIDV, uuid, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
	SEARCH(nvmlDeviceGetHandleByPciBusId_v2, bus_id, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *bus_id, nvmlDevice_t *device)
{
	return nvmlDeviceGetHandleByPciBusId_v2(bus_id, device);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
	struct pl_session *session;
	nvmlReturn_t r = pl_nvml_enter(PL_NVML_OP_nvmlDeviceGetIndex, PL_NVML_KIND_device, device, &session);

	if (!r)
		r = pl_nvml_on_nvmlDeviceGetIndex(session, device, index);
	if (!r)
		*index += pl_nvml_server_of(session)->first;
	return r;
}

/* ---- older structures: they end before the long bus id, with four reserved words ---- */

static nvmlReturn_t pci_give(nvmlReturn_t r, nvmlPciInfo_t *to, const nvmlPciInfo_t *whole)
{
	if (!r)
		memcpy(to, whole, offsetof(nvmlPciInfo_t, busId));
	return r;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	nvmlPciInfo_t whole;

	return pci_give(nvmlDeviceGetPciInfo_v3(device, pci ? &whole : NULL), pci, &whole);
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	return nvmlDeviceGetPciInfo_v2(device, pci);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
	nvmlPciInfo_t whole;

	return pci_give(nvmlDeviceGetNvLinkRemotePciInfo_v2(device, link, pci ? &whole : NULL), pci, &whole);
}

/* ---- two devices ---- */

/* Are they of two servers?  Then *session_out says nothing. */
static nvmlReturn_t both(nvmlDevice_t device1, nvmlDevice_t device2, struct pl_session **session_out, bool *apart_out)
{
	struct pl_session *other = pl_nvml_session_of(PL_NVML_KIND_device, device2);
	nvmlReturn_t r = pl_nvml_enter(PL_NVML_OP_nvmlDeviceOnSameBoard, PL_NVML_KIND_device, device1, session_out);

	*apart_out = pl_nvml_session_of(PL_NVML_KIND_device, device1) && other && other != *session_out;
	return r;
}

nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t device1, nvmlDevice_t device2, int *on_same_board)
{
	struct pl_session *session;
	bool apart;
	nvmlReturn_t r = both(device1, device2, &session, &apart);

	if (r || !apart || !on_same_board)
		return r ? r : pl_nvml_on_nvmlDeviceOnSameBoard(session, device1, device2, on_same_board);
	*on_same_board = 0;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device1, nvmlDevice_t device2,
						 nvmlGpuTopologyLevel_t *path_info)
{
	struct pl_session *session;
	bool apart;
	nvmlReturn_t r = both(device1, device2, &session, &apart);

	if (r || !apart || !path_info)
		return r ? r : pl_nvml_on_nvmlDeviceGetTopologyCommonAncestor(session, device1, device2, path_info);
	*path_info = NVML_TOPOLOGY_SYSTEM;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t device1, nvmlDevice_t device2, nvmlGpuP2PCapsIndex_t p2p_index,
				    nvmlGpuP2PStatus_t *p2p_status)
{
	struct pl_session *session;
	bool apart;
	nvmlReturn_t r = both(device1, device2, &session, &apart);

	if (r || !apart || !p2p_status)
		return r ? r : pl_nvml_on_nvmlDeviceGetP2PStatus(session, device1, device2, p2p_index, p2p_status);
	*p2p_status = NVML_P2P_STATUS_NOT_SUPPORTED;
	return NVML_SUCCESS;
}

/* ---- a list that goes and comes ---- */

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int values_count, nvmlFieldValue_t *values)
{
	struct pl_nvml_nvmlDeviceGetFieldValues_args args = { 0 };
	struct pl_nvml_nvmlDeviceGetFieldValues_reply got;
	uint64_t words[PL_NVML_LIMIT_FIELDS_MAX * PL_NVML_WORDS_field];
	struct pl_enc enc = { (uint8_t *)words };
	struct pl_nvml_field_record field;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	nvmlReturn_t r = pl_nvml_enter(PL_NVML_OP_nvmlDeviceGetFieldValues, PL_NVML_KIND_device, device, &session);
	int fault;

	if (r)
		return r;
	if (!values || values_count < 1 || values_count > (int)PL_NVML_LIMIT_FIELDS_MAX)
		return NVML_ERROR_INVALID_ARGUMENT;
	args.device = pl_nvml_id(session, PL_NVML_KIND_device, device);
	if (device && !args.device)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < values_count; i++) {
		pl_nvml_field_record_take(&field, &values[i]);
		pl_nvml_field_record_put(&enc, &field);
	}
	args.values = (struct pl_u64s){ words, (uint64_t)values_count * PL_NVML_WORDS_field };
	fault = pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetFieldValues,
			      pl_nvml_nvmlDeviceGetFieldValues_bytes(&args));
	if (!fault) {
		pl_nvml_nvmlDeviceGetFieldValues_put(&call.enc, &args);
		fault = pl_call_ask(&call, &reply);
	}
	if (fault)
		return pl_nvml_fault(fault);
	if (reply.status)
		return (nvmlReturn_t)reply.status;
	pl_nvml_nvmlDeviceGetFieldValues_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.values.count != args.values.count)
		return NVML_ERROR_UNKNOWN;
	for (int i = 0; i < values_count; i++)
		if (pl_nvml_field_record_at(got.values, (uint64_t)i, &field))
			pl_nvml_field_record_give(&values[i], &field);
	return NVML_SUCCESS;
}
