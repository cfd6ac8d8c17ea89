"""opencl-functions.md: every function and message in tables for people."""

NAMES = {"opencl": "OpenCL", "cuda": "CUDA driver", "nvml": "NVML"}
HEAD = """# {api} functions and messages

Made by `codegen/plgen.py` from `{name}`; do not edit. `docs/spec.md` explains the words.

Classes: **local** is answered in the client. **post** is sent and not waited for. **mint** is a post that makes an
object whose id the client chose. **ask** is waited for. {more}
"""
MORE = {"opencl": """**info** is a query, answered from the client's cache or by
asking. A post or mint that is not plainly valid is asked, so that the driver's own error code comes back.""",
        "cuda": """**refused**
functions are exported and return what stands there.
A post or mint that is not plainly valid is asked, so that the driver's own error code comes back.
`_ptds` and `_ptsz` are twins whose default stream is the calling thread's own, with the version that brought them.""",
        "nvml": """**refused** functions are
exported and return what stands there, once the library is initialised. A function without a device asks the first server."""}


def field_text(field):
    text = field.type if field.type in ("u64x3", "string") or not field.kind else f"{field.type}({field.kind})"
    return f"{text} `{field.name}`" + (f" ≤ {field.max}" if field.max else "")


def fields_text(fields):
    return ", ".join(field_text(f) for f in fields) or "nothing"


def class_text(function):
    return function.call_class + (f" ({function.condition})" if function.condition else "")


def by_hand(function):
    sides = [side for side, yes in (("client", function.manual_client),
                                    ("server", function.manual_server and function.is_called)) if yes]
    return " and ".join(sides) or "-"


def travels(function):
    if function.sends:
        return f"as {function.sends}"
    if function.call_class == "info":
        return f"as plInfo ({function.info})"
    if not function.has_wire:
        return "nothing"
    text = fields_text(function.wire)
    return text + (f"; answer: {fields_text(function.reply)}" if function.reply is not None else "")


def row(spec, function):
    checks = ", ".join(f"{c.name}({', '.join(c.args)})" for c in function.checks) or "-"
    charges = ", ".join(c.what + (f"({c.field})" if c.field else "") for c in spec.layout_of(function).charges) or "-"
    name = f"`{function.name}`" + (f" ({function.extension})" if function.extension else "")
    if function.flavour:
        name += f", `_{function.flavour}` ({function.flavour_since})"
    cells = [str(function.id), name, function.since or "-", class_text(function), by_hand(function), travels(function),
             checks, charges, function.replays]
    return "| " + " | ".join(cells) + " |"


COLUMNS = ["id", "name", "since", "class", "by hand", "what travels", "checked before it is posted", "charges",
           "replay"]


def table_of(spec, functions):
    out = ["| " + " | ".join(COLUMNS) + " |", "| " + " | ".join("---" for _ in COLUMNS) + " |"]
    return out + [row(spec, f) for f in functions]


def table(spec):
    present = [f for f in spec.functions if not f.is_absent and f.call_class != "refused"]
    sections = (("Functions", [f for f in present if not f.is_message]),
                ("Messages, client to server", [f for f in present if f.is_message and f.call_class != "reverse"]),
                ("Messages, server to client", [f for f in present if f.call_class == "reverse"]))
    out = [HEAD.format(name=spec.path.split("/")[-1], api=NAMES[spec.api], more=MORE[spec.api])]
    for title, functions in sections:
        if functions:
            out += [f"## {title}", ""] + table_of(spec, functions) + [""]
    absent = [f"`{f.name}`" for f in spec.functions if f.is_absent]
    if absent:
        out += ["## Slots that are NULL", "", ", ".join(absent) + ".", ""]
    refused = [f for f in spec.functions if f.call_class == "refused"]
    if refused:
        out += ["## Refused", "", "| id | name | since | returns | because |", "| --- | --- | --- | --- | --- |"]
        for function in refused:
            names = ", ".join(f"`{symbol}`" for symbol, *_ in function.symbols)
            out.append(f"| {function.id} | {names} | {function.since or '-'} | `{function.refusal}` | "
                       f"{function.reason} |")
        out.append("")
    if spec.infos:
        out += queries(spec)
    out += ["## Limits", "", "| limit | value |", "| --- | --- |"]
    out += [f"| {limit.name} | {limit.value} |" for limit in spec.limits.values()]
    return "\n".join(out) + "\n"


def queries(spec):
    out = ["## Queries", "", "| query | parameter | answer |", "| --- | --- | --- |"]
    for info in spec.infos.values():
        for line in info.rows:
            name = "the others" if line.param == "*" else f"`{line.param}`"
            out.append(f"| {info.name} | {name} | {line.how}{f'({line.kind})' if line.kind else ''} |")
    return out + [""]
