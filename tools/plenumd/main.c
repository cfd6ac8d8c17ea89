/* The daemon under its own name: `plenumd OPTION...' is `plenum serve OPTION...'. */
#include "base/log.h"
#include "plenum/tool.h"

const struct pl_command pl_commands[] = { { NULL, NULL, NULL } };

int main(int argc, char **argv)
{
	pl_log_init("plenumd", PL_LOG_WARN);
	return pl_cmd_serve(argc, argv);
}
