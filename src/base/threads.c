#include "base/threads.h"

_Atomic uint32_t pl_threads_own;
