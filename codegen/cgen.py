"""Small helpers for text of C: what all emitters share."""

import re

NOTE = "/* Made by codegen/plgen.py from {spec}; do not edit. */\n"
CL_HEAD = """#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
"""
# the same, where somebody may have defined them before
CL_HEAD_GUARDED = "".join(
    f"#ifndef {line.split()[1]}\n{line}\n#endif\n" for line in CL_HEAD.strip().splitlines())
WIDTH = 100


def note(spec):
    return NOTE.format(spec=spec.path.split("/")[-1])


def wrap(head, items, tail):
    """head(item, item, ...)tail, broken under the opening bracket, or one stop deeper where that is too far right."""
    pieces = [item + ("," if number + 1 < len(items) else ")" + tail) for number, item in enumerate(items)]
    if not pieces:
        return f"{head}(){tail}"
    column = len(head.expandtabs(8)) + 1
    if column + max(map(len, pieces)) <= WIDTH:
        indent = "\t" * (column // 8) + " " * (column % 8)
        lines, line = [], head + "(" + pieces.pop(0)
    else:
        indent = "\t" * (len(head) - len(head.lstrip("\t")) + 1)
        lines, line = [head + "("], indent + pieces.pop(0)
    for piece in pieces:
        if len(line.expandtabs(8)) + 1 + len(piece) > WIDTH:
            lines.append(line)
            line = indent + piece
        else:
            line += " " + piece
    return "\n".join(lines + [line])


def prototype(head, function, name):
    params = [p.declaration for p in function.params] or ["void"]
    result = function.result
    space = "" if result.endswith("*") else " "
    return wrap(f"{head}{result}{space}{name}", params, "")


def without_unused(text, names):
    """Without those static helpers, and what is said above them, that nobody calls; callers first."""
    for name in names:
        if len(re.findall(rf"\b{name}\b", text)) == 1:
            text = re.sub(rf"(/\* [^\n]* \*/\n)?static [^;{{}}]*\b{name}\([^{{}}]*\)\n{{\n.*?\n}}\n\n?", "", text, count=1, flags=re.S)
    return text


def args_struct(spec, function):
    return f"struct pl_cl_{spec.layout_of(function).name}_args"
