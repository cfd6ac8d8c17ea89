"""The lock file: which id belongs to which name, for ever, and the layout that was fixed for it."""

from fault import SpecFault
from model import fnv64, layout_text

HEAD = "# id name layout-hash; ids are never reused.  Written by plgen.py --update-lock.\n"


def read(path):
    rows = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
    except FileNotFoundError:
        return rows
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3 or not words[0].isdigit():
            raise SpecFault(path, number, "a line of the lock is: ID NAME HASH; restore the file from git")
        rows[int(words[0])] = (words[1], words[2])
    return rows


def layout_hash(spec, function):
    return f"{fnv64(layout_text(spec, function)):016x}"


def compare(spec, rows, may_update):
    """The lock as it must be; fails where the spec breaks a promise of the lock."""
    names = {name: ident for ident, (name, _) in rows.items()}
    result = dict(rows)
    for function in spec.functions:
        entry = (function.name, layout_hash(spec, function))
        old = rows.get(function.id)
        if old and old[0] != function.name:
            raise SpecFault(spec.path, function.line, f"id {function.id} was given to {old[0]} for ever (lock): give "
                                                      f"{function.name} an id that was never used")
        if names.get(function.name, function.id) != function.id:
            raise SpecFault(spec.path, function.line, f"{function.name} has id {names[function.name]} for ever (lock): "
                                                      "do not change it")
        if not old and not may_update:
            raise SpecFault(spec.path, function.line, f"{function.name} is not in the lock: run plgen.py --update-lock")
        if old and old[1] != entry[1] and not may_update:
            raise SpecFault(spec.path, function.line, f"the layout of {function.name} is not that of the lock: if no "
                            "release carries it run plgen.py --update-lock, else make a new function")
        result[function.id] = entry
    return result


def text(rows):
    return HEAD + "".join(f"{ident} {name} {digest}\n" for ident, (name, digest) in sorted(rows.items()))
