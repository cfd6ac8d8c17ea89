"""Random sequences of driver calls, right and wrong, print the same natively and over a server: every result and every byte.

test/cuda/differ.c makes the sequences.  By hand, with other seeds: PLENUM_TEST_SEEDS=FROM-TO.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
DIFFER = os.path.join(os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", ""), "cuda-differ")
FIRST, LAST = (int(seed) for seed in os.environ.get("PLENUM_TEST_SEEDS", "1-20").split("-"))
CALLS = 400
SHOWN = 5  # lines of each side from the first that differs


def lines_of(seed, env, library):
    env = dict(env, PLENUM_TEST_LIBCUDA=library, PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""),
               PLENUM_REFGPU_MEMORY="1G", LD_LIBRARY_PATH=os.path.dirname(library))
    result = plenum.run([DIFFER, str(seed), str(CALLS)], env, check=False, timeout=60)
    return result.stdout.decode(errors="replace").splitlines() + [f"exit {result.returncode}"]


def first_difference(native, remote):
    """None where both are the same."""
    at = next((i for i, pair in enumerate(zip(native, remote)) if pair[0] != pair[1]), min(len(native), len(remote)))
    if at == len(native) == len(remote):
        return None
    return "\n".join([f"- {line}" for line in native[at:at + SHOWN]] + [f"+ {line}" for line in remote[at:at + SHOWN]])


def test_a_difference_is_found():
    assert first_difference(["a", "b"], ["a", "b"]) is None
    assert first_difference(["a", "b"], ["a", "c"]) == "- b\n+ c"
    assert first_difference(["a"], ["a", "c"]) == "+ c"


def test_random_calls_answer_the_same():
    kinds = set()
    with plenum.Server("--cuda", NATIVE, PLENUM_REFGPU_MEMORY="1G") as server:
        for seed in range(FIRST, LAST + 1):
            native = lines_of(seed, plenum.native_env(), NATIVE)
            assert native[-1] == "exit 0", f"seed {seed} natively:\n" + "\n".join(native[-SHOWN:])
            kinds |= {line.split("(")[0].split()[-1] for line in native[:-1]}
            for mode in ("shm", "tcp"):
                difference = first_difference(native, lines_of(seed, server.env(mode), REMOTE))
                assert difference is None, f"seed {seed} differs over {mode} (- natively, + remoted):\n{difference}"
    print(f"     {LAST - FIRST + 1} seeds, {len(kinds)} functions", flush=True)
    assert len(kinds) > 80, sorted(kinds)


if __name__ == "__main__":
    plenum.main([test_a_difference_is_found, test_random_calls_answer_the_same])
