/* `other-server serve OPTION...': plenumd of another release (other_spec.py). */
#include "base/log.h"
#include "plenum/tool.h"

const struct pl_command pl_commands[] = { { NULL, NULL, NULL } };

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	pl_log_init("other-server", PL_LOG_WARN);
	return pl_cmd_serve(argc - 1, argv + 1);
}
