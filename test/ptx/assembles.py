"""Every module that test-ptx makes must be PTX to NVIDIA's assembler, where there is one."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIP = 77


def faults_of(ptxas, path):
    with open(path, encoding="utf-8") as f:
        number, own = re.search(r"^\.target sm_(\d+)(a?)", f.read(), re.M).groups()
    target = f"{max(90, int(number))}{own}"
    done = subprocess.run([ptxas, "-O0", f"-arch=sm_{target}", "-o", os.devnull, path], capture_output=True, text=True)
    if done.returncode == 0:
        return []
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    said = done.stdout + done.stderr
    found = [f"{lines[int(number) - 1].strip()}: {text}" for number, text in re.findall(r"line (\d+); (error.*)", said)]
    return found or [f"{path}: {said.strip()}"]


def main():
    ptxas = shutil.which("ptxas") or shutil.which("/usr/local/cuda/bin/ptxas")
    if not ptxas:
        print("skipped: no ptxas")
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "--dump", folder] + sys.argv[2:], check=True)
        paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = [fault for found in pool.map(lambda path: faults_of(ptxas, path), paths) for fault in found]
    for fault in faults:
        print(fault)
    print(f"{len(paths)} modules, {len(faults)} faults")
    return 1 if faults or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
