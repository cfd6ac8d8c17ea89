/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a network of its own: a network namespace that ends with it, and a pair of virtual interfaces to ours
 * with the wanted MTU.  Each packet is one MTU: left to themselves the interfaces would carry 64 KiB whatever it is.
 */
#include "modes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* $1 MTU, $2 our end's name, $3 our process, $4 the network's three numbers; then the program. */
static const char script[] =
	"set -e; mtu=$1 ours=$2 pid=$3 net=$4; shift 4\n"
	"ip link add plenum0 mtu $mtu type veth peer name $ours mtu $mtu netns $pid\n"
	"ip link set plenum0 gso_max_segs 1\n"
	"ip addr add $net.2/24 dev plenum0; ip link set lo up; ip link set plenum0 up\n"
	"nsenter -t $pid -n sh -c \"ip link set $ours gso_max_segs 1; ip addr add $net.1/24 dev $ours; "
	"ip link set $ours up\"\n"
	"exec \"$@\"";

unsigned pl_bench_net_argv(const struct pl_bench_run *run, const struct pl_bench_mode *mode, const char **argv_out)
{
	static char unshare[PATH_MAX], mtu[16], name[32], pid[16], net[32];
	const char *const words[PL_BENCH_NET_ARGS] = {
		unshare, "-n", "/bin/sh", "-c", script, "sh", mtu, name, pid, net
	};

	if (pl_bench_exe_find(run->config, "unshare", NULL, unshare, sizeof(unshare)))
		strcpy(unshare, "/usr/bin/unshare");
	snprintf(mtu, sizeof(mtu), "%u", mode->mtu);
	snprintf(name, sizeof(name), "plb%u", mode->net);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(net, sizeof(net), "10.199.%u", mode->net);
	memcpy(argv_out, words, sizeof(words));
	return PL_BENCH_NET_ARGS;
}

int pl_bench_net_address(struct pl_bench_mode *mode, const char *listening, char *address_out, size_t bytes)
{
	const char *port = strrchr(listening, ':');
	char number[16];

	if (!port)
		return -EPROTO;
	snprintf(number, sizeof(number), "%.8s", port + 1);
	mode->net = 1 + ((unsigned)getpid() * 4 + mode->mtu / 1000) % 250;
	snprintf(address_out, bytes, "tcp://10.199.%u.1:%s", mode->net, number);
	return 0;
}
