"""Writes the spec of another release of the server: one function less, one with another layout, numbers of its own.

other_spec.py spec/opencl.api OUT.api
"""
import re
import sys


def replace_once(text, old, new):
    if text.count(old) != 1:
        sys.exit(f"other_spec.py: the spec has {text.count(old)} times: {old}")
    return text.replace(old, new)


def drop(text, name):
    """A function that does not travel in this release."""
    pattern = rf"@(\d+) \w+ *\n([^;@]*?\b{name}\([^;]*?)\n\tchecks [^;]*;"
    if len(re.findall(pattern, text)) != 1:
        sys.exit(f"other_spec.py: {name} is not found once")
    return re.sub(pattern, r"@\1 local manual client\n\2;", text)


def number(text, name, new):
    pattern = rf"@\d+ ([^;@]*?\b{name}\()"
    if len(re.findall(pattern, text)) != 1:
        sys.exit(f"other_spec.py: {name} is not found once")
    return re.sub(pattern, rf"@{new} \1", text)


def main(spec, out):
    with open(spec, encoding="utf-8") as file:
        text = file.read()
    text = drop(text, "clEnqueueMigrateMemObjects")
    text = replace_once(text, "u32 normalized_coords, u32 addressing_mode, u32 filter_mode,",
                        "u32 normalized_coords, u32 filter_mode, u32 addressing_mode,")
    text = number(text, "clGetMemObjectInfo", 301)
    text = number(text, "clCreateBuffer", 21)  # what clGetMemObjectInfo is elsewhere
    text = number(text, "clEnqueueFillBuffer", 302)
    text = number(text, "plEventStatus", 303)
    text = number(text, "plEventReached", 220)  # what plEventStatus is elsewhere
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
