"""Splits a spec into tokens.  C comments are dropped; each token knows its line."""

import re
from dataclasses import dataclass

from fault import SpecFault


@dataclass(frozen=True)
class Token:
    kind: str  # "name", "number", "string" (without its quotes), "sign", "end"
    text: str
    line: int


PATTERN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<comment>/\*.*?\*/)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>0[xX][0-9A-Fa-f]+|[0-9]+)"
    r'|(?P<string>"[^"\n]*")'
    r"|(?P<sign>[@(){},;:*!=.])",
    re.DOTALL,
)


def split(text, path):
    tokens, at, line = [], 0, 1
    while at < len(text):
        found = PATTERN.match(text, at)
        if not found:
            if text.startswith("/*", at):
                raise SpecFault(path, line, "this comment is not closed: add */")
            raise SpecFault(path, line, f"'{text[at]}' has no meaning here: a spec has names, numbers, "
                                        "\"text\", @ ( ) { } , ; : * ! = . and /* comments */")
        kind = found.lastgroup
        if kind in ("name", "number", "string", "sign"):
            tokens.append(Token(kind, found.group().strip('"'), line))
        line += found.group().count("\n")
        at = found.end()
    tokens.append(Token("end", "the end of the file", tokens[-1].line if tokens else 1))
    return tokens
