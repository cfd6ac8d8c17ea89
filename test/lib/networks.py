"""Networks of a test's own: one namespace in which everything runs, and one for each client, joined by a cable."""
import os
import shutil
import subprocess
import sys

import plenum

SERVER = "10.198.0.1"
INSIDE = "PLENUM_TEST_INSIDE"

# $1 the namespace of whom to reach, as a process in it; $2 our number; then the program.
JOIN = """set -e; pid=$1 n=$2; shift 2
ip link add eth0 type veth peer name plc$n netns $pid
nsenter -t $pid -n sh -c "ip addr add 10.198.$n.1/24 dev plc$n; ip link set plc$n up"
ip addr add 10.198.$n.2/24 dev eth0; ip link set lo up; ip link set eth0 up; ip route add default via 10.198.$n.1
exec "$@"
"""


def namespace_words():
    words = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    for word in "unshare", "nsenter", "ip":
        if not shutil.which(word):
            plenum.skip(f"no {word}, which makes the clients' networks")
    trial = words + ["sh", "-c", "ip link add plc0 type veth peer name plc1 && ip addr add 10.198.0.1/32 dev lo"]
    result = subprocess.run(trial, capture_output=True, text=True, timeout=plenum.LIMIT_S)
    if result.returncode != 0:
        plenum.skip("network namespaces cannot be made here: " + " ".join(result.stderr.split()))
    return words


def command(number):
    """What a client's program is started with: a network of its own, from which SERVER can be reached."""
    return ["unshare", "--net", "sh", "-c", JOIN, "sh", str(os.getpid()), str(number)]


def inside():
    """Goes on as this script in a namespace of its own that has SERVER's address; skips where that can not be had."""
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = "1"
        words = namespace_words()
        os.execvp(words[0], [*words, sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", SERVER + "/32", "dev", "lo"], check=True)
