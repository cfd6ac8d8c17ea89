#!/usr/bin/env python3
"""Makes a C program from spec/nvml.api that calls every function of NVML, rightly and wrongly, and prints all answers:
make_calls.py SPEC OUT.c.  Two ways to the same device have to print the same."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "codegen"))

import plgen  # noqa: E402

ROOM = 256  # bytes of texts, elements of lists
LEFT_OUT = {
    "nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags", "nvmlShutdown", "nvmlErrorString",  # by hand, in calls.h
    "nvmlDeviceGetUtilizationRates",  # changes by itself
}
CHANGES = {"timestamp", "latencyUsec", "free", "used", "bar1Free", "bar1Used"}  # members that do


class Call:
    """A function's parameters as C: what is declared, what is given rightly, what wrongly, and how answers are shown."""

    def __init__(self, spec, function):
        self.spec, self.function = spec, function
        self.locals, self.right, self.wrong, self.shown, self.counts = [], [], [], [], []
        for place, param in enumerate(function.params):
            self.param(place, param)

    def param(self, place, param):
        name, element = f"p{place}", param.element
        if param.c_type == "nvmlDevice_t":
            self.give(place, "device", "(nvmlDevice_t)&calls_none", "NULL")
        elif param.c_type == "nvmlEventSet_t":
            self.give(place, "set", "(nvmlEventSet_t)&calls_none", "NULL")
        elif not param.is_pointer:
            self.plain(place, param)
        elif param.role == "":  # of a function that is refused
            self.give(place, "(void *)calls_memory", "NULL")
        elif element == "nvmlDevice_t" and param.one:
            self.locals.append(f"nvmlDevice_t {name} = NULL;")
            self.give(place, f"&{name}", "NULL")
            self.shown.append(f'printf(" %s", {name} ? "a device" : "none");')
        elif param.string:
            self.string(place, param)
        elif param.one and param.role in ("out", "inout") and self.spec.record_of(element):
            self.record(place, param)
        elif param.one and self.spec.record_of(element):
            record = self.spec.record_of(element)
            self.locals += [f"{element} {name} = {{ 0 }};", f"{element} {name}_other = {{ 0 }};", f"{name}.version = {record.version};"]
            self.give(place, f"&{name}", "NULL", f"&{name}_other")
        elif param.one and param.role == "mint":
            self.give(place, f"&{name}", "NULL")
        elif param.one:
            start = str(ROOM) if param.role == "inout" else "0"
            self.locals.append(f"{element} {name} = {start};")
            self.give(place, f"&{name}", "NULL")
            show = f'printf(" %lld", (long long){name});'
            if "Processes" not in self.function.name:  # others come and go
                self.shown.append(show)
            if param.role == "inout":
                self.counts.append(show)
        else:
            self.many(place, param)

    def give(self, place, right, *wrong):
        self.right.append(right)
        self.wrong += [(place, other) for other in wrong]

    def plain(self, place, param):
        if param.name == "room" or param.name == "size":
            self.give(place, str(ROOM), "3", "0")
        elif param.name == "timeoutms":
            self.give(place, "1")
        elif param.name == "pid":
            self.give(place, "0x7ffffffe")  # a process of nobody: names of others are the server host's
        elif param.name == "values_count":
            self.give(place, "3", "0", "-1")
        else:
            self.give(place, *(f"({param.c_type})(intptr_t){value}" for value in (0, 1, 2, 1000)))

    def string(self, place, param):
        own = {"uuid": "calls_uuid", "bus_id": "calls_bus_id", "serial": "calls_serial"}[param.name]
        self.give(place, own, "NULL", '"nothing"', '""', '"0:2:3.0"')

    def record(self, place, param):
        name, record = f"p{place}", self.spec.record_of(param.element)
        self.locals.append(f"{param.element} {name} = {{ 0 }};")
        wrong = ["NULL"]
        if record.version:
            self.locals += [f"{param.element} {name}_other = {{ 0 }};", f"{name}.version = {record.version};",
                            f"{name}_other.version = {record.version} + 1;"]
            wrong.append(f"&{name}_other")
        self.give(place, f"&{name}", *wrong)
        self.shown += self.members(record, name)

    def members(self, record, at):
        if record.by_hand:
            return [f'printf(" %lld", (long long){at}.{m.path});' for m in record.members if not m.kind]
        lines = []
        for member in record.members:
            if member.path in CHANGES:
                continue
            if member.type == "raw":
                there = at if member.path == "all" else f"{at}.{member.path}"
                lines.append(f"calls_hex(&{there}, {member.bytes});")
            else:
                lines.append(f'printf(" %lld", (long long){at}.{member.path});')
        return lines

    def many(self, place, param):
        name, element = f"p{place}", param.element
        if element in ("char", "void") or param.bytes:
            self.locals.append(f"static {'char' if element in ('char', 'void') else element} {name}[{ROOM}];")
            self.give(place, name, "NULL")
            self.shown.append(f'printf(" %s", (const char *){name});' if element == "char" else f"calls_hex({name}, 16);")
            return
        self.locals.append(f"static {element} {name}[{ROOM}];")
        if param.role == "inout":
            self.locals.append(f"for (int i = 0; i < 3; i++)\n\t\t{name}[i].fieldId = (unsigned[]){{ 91, 1, 100000 }}[i];")
        self.give(place, name, "NULL")
        record = self.spec.record_of(element)
        if record and param.role == "inout":
            show = " ".join(self.members(record, f"{name}[i]"))
            self.shown.append(f"for (int i = 0; i < 3; i++) {{ {show} }}")

    def text(self):
        """One function: right, then wrong in one place after the other."""
        name = self.function.name
        out = [f"static void call_{name}(nvmlDevice_t device, nvmlEventSet_t set, unsigned which)", "{",
               f"\t__typeof__(&{name}) call;"] + [f"\t{line}" for line in self.locals]
        out += ["\tnvmlReturn_t r = NVML_ERROR_UNKNOWN;", "", f'\t*(void **)&call = calls_find("{name}");',
                "\t(void)device, (void)set;", "\tswitch (which) {"]
        for number, (place, other) in enumerate([(None, None), *self.wrong]):
            given = [other if i == place else right for i, right in enumerate(self.right)]
            out += [f"\tcase {number}:", f"\t\tr = call({', '.join(given)});", "\t\tbreak;"]
        out += ["\tdefault:", "\t\treturn;", "\t}", f'\tcalls_say("{name}", which, r);', "\tif (r == NVML_SUCCESS && !which) {"]
        out += [f"\t\t{line}" for line in self.shown]
        if self.counts:
            out += ["\t} else if (r == NVML_ERROR_INSUFFICIENT_SIZE) {"] + [f"\t\t{line}" for line in self.counts]
        return out + ["\t}", '\tputs("");', "}", ""]


def main():
    spec = plgen.load(sys.argv[1])
    functions = [f for f in spec.functions if f.is_function and f.name not in LEFT_OUT]
    functions.sort(key=lambda f: f.name == "nvmlEventSetFree")  # the last: the set is used by others
    out = ['/* Made by make_calls.py. */\n#include "calls.h"\n']
    rows = []
    for function in functions:
        call = Call(spec, function)
        out += call.text()
        refused = "true" if function.call_class == "refused" else "false"
        rows.append(f"\t{{ call_{function.name}, {len(call.wrong) + 1}, {refused} }},")
    out += ["const struct calls_row calls_rows[] = {", *rows, "};", f"const unsigned calls_count = {len(rows)};"]
    text = "\n".join(out) + "\n"
    assert len(functions) > 400 and re.search("call_nvmlDeviceGetFieldValues", text)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
