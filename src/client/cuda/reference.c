/* Texture and surface references of modules: one of a name, which goes with its module. */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/module.h"

void pl_cuda_reference_fini(struct pl_cuda_reference *reference)
{
	struct pl_cuda_module *module = reference->module;

	if (module) {
		pthread_mutex_lock(&module->lock);
		for (struct pl_cuda_reference **at = &module->references; *at; at = &(*at)->next) {
			if (*at != reference)
				continue;
			*at = reference->next;
			break;
		}
		pthread_mutex_unlock(&module->lock);
	}
	free(reference->name);
}

void pl_cuda_references_forget(struct pl_cuda_module *module)
{
	while (module->references)
		pl_cuda_forget(&module->references->object);
}

static int reference_ask(struct pl_session *session, const struct pl_cuda_module *module, const char *name,
			 const struct pl_cuda_object *object, struct pl_reply *reply)
{
	struct pl_cuda_cuModuleGetTexRef_args texture = {
		.given = 1, .module = module->object.id, .name = name, .texref = object->id
	};
	struct pl_cuda_cuModuleGetSurfRef_args surface = {
		.given = 1, .module = module->object.id, .name = name, .surfref = object->id
	};

	if (object->kind == PL_CUDA_KIND_texref)
		return PL_CUDA_ASK(session, cuModuleGetTexRef, &texture, reply);
	return PL_CUDA_ASK(session, cuModuleGetSurfRef, &surface, reply);
}

/* Called with the module's lock held. */
static CUresult reference_make(struct pl_session *session, struct pl_cuda_module *module, enum pl_cuda_object_kind kind,
			       const char *name, struct pl_cuda_reference **reference_out)
{
	struct pl_cuda_reference *reference = pl_cuda_object_create(kind, 0, NULL);
	struct pl_reply reply;
	CUresult result;
	int r;

	if (!reference)
		return CUDA_ERROR_OUT_OF_MEMORY;
	reference->object.session = session;
	reference->object.context = module->object.context; /* not in its list: it ends with its module */
	reference->name = strdup(name);
	do {
		r = reference_ask(session, module, name, &reference->object, &reply);
		result = pl_cuda_answer(r, &reply);
	} while (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session));
	if (!result && !reference->name)
		result = CUDA_ERROR_OUT_OF_MEMORY;
	if (result) {
		pl_cuda_forget(&reference->object);
		return result;
	}
	reference->module = module;
	reference->next = module->references;
	module->references = reference;
	*reference_out = reference;
	return CUDA_SUCCESS;
}

static CUresult reference_get(enum pl_cuda_op op, enum pl_cuda_object_kind kind, void **handle_out, CUmodule handle,
			      const char *name)
{
	struct pl_cuda_reference *reference;
	struct pl_cuda_module *module;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_module, handle, &session);

	if (result)
		return result;
	module = pl_cuda_get(PL_CUDA_KIND_module, handle);
	if (!module)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!handle_out || !name || strlen(name) >= PL_CUDA_LIMIT_NAME_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&module->lock);
	for (reference = module->references; reference; reference = reference->next)
		if (reference->object.kind == kind && !strcmp(reference->name, name))
			break;
	if (!reference)
		result = reference_make(session, module, kind, name, &reference);
	pthread_mutex_unlock(&module->lock);
	if (!result)
		*handle_out = reference->object.handle;
	return result;
}

CUresult cuModuleGetTexRef(CUtexref *texref, CUmodule module, const char *name)
{
	return reference_get(PL_CUDA_OP_cuModuleGetTexRef, PL_CUDA_KIND_texref, (void **)texref, module, name);
}

CUresult cuModuleGetSurfRef(CUsurfref *surfref, CUmodule module, const char *name)
{
	return reference_get(PL_CUDA_OP_cuModuleGetSurfRef, PL_CUDA_KIND_surfref, (void **)surfref, module, name);
}
