"""The rules of the tree that a compiler does not see: who may include whom, line length, contracts in headers, what pages
name."""
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
COLUMNS_MAX = 120
HEADER_LINES_MAX = 250
# Names that a vendor's ABI gives: its types are typedefs, and one list may be long.
ABI = ("src/cuda/", "src/nvml/")
ABI_HEADER_LINES_MAX = 600

# A folder of src/ may include these besides itself (and its own subfolders), the left of docs/architecture.md to the right.
MAY_INCLUDE = {
    "base": set(),
    "cuda": set(),
    "nvml": {"base"},
    "wire": {"base"},
    "link": {"base", "wire"},
    "client": {"base", "cuda", "nvml", "wire", "link"},
    "server": {"base", "wire", "link"},
    "backend": {"base", "cuda", "nvml", "wire", "server", "link"},
    "refgpu": {"base", "cuda", "nvml"},
    "trace": {"base", "cuda"},
}
faults = []


def fault(path, line, text):
    faults.append(f"{path}:{line}: {text}")


def files():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return [path for path in listed.stdout.splitlines() if os.path.isfile(os.path.join(ROOT, path))]
    return [os.path.relpath(os.path.join(folder, name), ROOT) for folder, _, names in os.walk(ROOT) for name in names]


def check_includes(path, number, line):
    included = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
    if not included or not path.startswith("src/"):
        return
    here = path.split("/")[1]
    there = included.group(1).split("/")[0]
    if "/" in included.group(1) and there in MAY_INCLUDE and there != here and there not in MAY_INCLUDE[here]:
        fault(path, number, f"{here}/ may not include {there}/")


def check_source(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        lines = f.read().split("\n")
    for number, line in enumerate(lines, 1):
        check_includes(path, number, line)
        if len(line.expandtabs(8)) > COLUMNS_MAX:
            fault(path, number, f"longer than {COLUMNS_MAX} columns")
        if line != line.rstrip():
            fault(path, number, "blanks at the end")
        if re.match(r" {8}", line):
            fault(path, number, "indented with blanks, not tabs")
        if re.match(r"typedef struct", line) and not path.startswith(ABI):
            fault(path, number, "typedef of a struct")
    if path.endswith(".h"):
        lines_max = ABI_HEADER_LINES_MAX if path.startswith(ABI) else HEADER_LINES_MAX
        if len(lines) > lines_max:
            fault(path, len(lines), f"a header of more than {lines_max} lines")
        if not lines[0].startswith("/*"):
            fault(path, 1, "a header begins with what it is for")


def check_refusals():
    """What the CUDA client refuses by hand is told to people; endings of twins and of one kind's functions are not."""
    path = "src/client/cuda/absent.c"
    with open(os.path.join(ROOT, "docs/limits.md"), encoding="utf-8") as f:
        told = f.read()
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            name = re.match(r"ABSENT\((cu\w+?)(Global|_ptsz)?,", line)
            if name and "ExternalSemaphores" not in line and name.group(1) + "()" not in told:
                fault(path, number, f"docs/limits.md does not say that {name.group(1)}() is refused")


def check_limits():
    """A limit that the table names is one of the source."""
    path = "docs/limits.md"
    known = set()
    for source in files():
        if re.match(r"(src|tools|spec)/.*\.(c|h|api)$", source):
            with open(os.path.join(ROOT, source), encoding="utf-8") as f:
                known.update(re.findall(r"(?:#define|limit) +([A-Z]\w+)", f.read()))
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            first = re.match(r"\| ([^|]*) \|", line)
            for name in re.findall(r"`([A-Z]\w*_(?:MAX|MIN|EACH|BYTES|SUM|MS|SECONDS))`", first.group(1) if first else ""):
                if name not in known:
                    fault(path, number, f"there is no limit {name}")


def check_links():
    """What a page of ours links to is there."""
    for path in files():
        if not path.endswith(".md"):
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                for link in re.findall(r"\]\(([^)\s#]+)", line):
                    there = os.path.join(ROOT, os.path.dirname(path), link)
                    if "://" not in link and not os.path.exists(there):
                        fault(path, number, f"{link} leads nowhere")


def main():
    sources = [path for path in files() if re.match(r"(src|tools|bench|test)/.*\.[ch]$", path)]
    for path in sources:
        check_source(path)
    check_refusals()
    check_limits()
    check_links()
    for text in faults:
        print(text)
    print(f"{len(sources)} files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
