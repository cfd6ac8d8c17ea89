"""Each libcuda.so.1 exports every function of the driver API: programs look names up with dlsym(), and end where one is missing."""
import re
import subprocess
import sys


def exported(library):
    text = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines()}


def main(header, *libraries):
    with open(header) as f:
        names = set(re.findall(r"PL_CUDA_EXPORT CUresult (cu\w+)\(", re.sub(r"\s+", " ", f.read())))
    assert len(names) > 500 and "cuMemAlloc_v2" in names and "cuLaunchKernel_ptsz" in names, len(names)
    wrong = 0
    for library in libraries:
        there = exported(library)
        missing, more = sorted(names - there), sorted(name for name in there - names if re.match("cu[A-Z]", name))
        print(f"{library}: {len(names) - len(missing)} of {len(names)}")
        for name in missing + more:
            print(f"  {name} is {'missing' if name in missing else 'not in the header'}")
        wrong += len(missing) + len(more)
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
