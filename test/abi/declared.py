"""Reads C declarations of types: which enumerators there are, which structures, and the paths of their members."""

import re
import subprocess

TOKEN = re.compile(r'[A-Za-z_]\w*|\d\w*|"[^"]*"|\'[^\']*\'|<<|>>|.', re.DOTALL)


def preprocess(source, includes, *more):
    """The text of a C source after the preprocessor."""
    command = ["cc", "-E", "-P", "-x", "c", *[f"-I{path}" for path in includes], *more, "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def macros(source, includes, *more, prefix="CU"):
    """Names of the constants that a source defines: name -> text."""
    command = ["cc", "-E", "-dM", "-x", "c", *[f"-I{path}" for path in includes], *more, "-"]
    text = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(rf"^#define ({prefix}\w+) (.+)$", text, re.MULTILINE))


class Reader:
    def __init__(self, text):
        self.tokens = [t for t in TOKEN.findall(text) if not t.isspace()]
        self.enumerators, self.types, self.aliases = set(), {}, {}
        self.at = 0
        self.read()
        for name, other in self.aliases.items():
            while other in self.aliases:
                other = self.aliases[other]
            self.types[name] = self.types.get(other, [])

    def read(self):
        while self.at < len(self.tokens):
            if self.tokens[self.at] == "typedef":
                self.typedef()
            elif self.tokens[self.at] == "enum" and "{" in self.tokens[self.at:self.at + 3]:
                self.at = self.tokens.index("{", self.at)
                self.enumeration(self.body())
            else:
                self.at += 1

    def body(self):
        """The tokens between the bracket here and its end; moves behind it."""
        depth, begin = 0, self.at + 1
        while True:
            depth += {"{": 1, "}": -1}.get(self.tokens[self.at], 0)
            self.at += 1
            if not depth:
                return self.tokens[begin:self.at - 1]

    def typedef(self):
        word = self.tokens[self.at + 1]
        end = self.at + 2
        while self.tokens[end] not in "{;(":
            end += 1
        if word in ("struct", "union", "enum") and self.tokens[end] == "{":
            self.at = end
            inside = self.body()
            name = self.tokens[self.at]
            if word == "enum":
                self.enumeration(inside)
                self.types[name] = []
            else:
                self.types[name] = members(inside)
            while self.tokens[self.at + 1] == ",":
                self.at += 2
                self.types[self.tokens[self.at]] = self.types[name]
        elif self.tokens[end] == ";":
            if end - self.at == 3:
                self.aliases[self.tokens[end - 1]] = word
            self.types.setdefault(self.tokens[end - 1], [])
            self.at = end
        else:  # a pointer to a function
            self.types.setdefault(self.tokens[self.tokens.index("*", end) + 1], [])
            self.at = self.tokens.index(";", end)

    def enumeration(self, inside):
        depth, fresh = 0, True
        for token in inside:
            depth += {"(": 1, ")": -1}.get(token, 0)
            if fresh and re.match(r"[A-Za-z_]", token):
                self.enumerators.add(token)
                fresh = False
            if token == "," and not depth:
                fresh = True


def members(tokens, prefix=""):
    """Paths of all members, those of inner structures too."""
    paths, declaration, at = [], [], 0
    while at < len(tokens):
        token = tokens[at]
        if token == "{":
            depth, begin = 0, at + 1
            while True:
                depth += {"{": 1, "}": -1}.get(tokens[at], 0)
                at += 1
                if not depth:
                    break
            inner, name = tokens[begin:at - 1], tokens[at]
            if name == ";":
                paths += members(inner, prefix)
            else:
                first = "[0]" if tokens[at + 1] == "[" else ""
                paths += [prefix + name] + members(inner, f"{prefix}{name}{first}.")
            while tokens[at] != ";":
                at += 1
            declaration = []
        elif token == ";":
            paths += [prefix + name for name in declared_names(declaration)]
            declaration = []
        else:
            declaration.append(token)
        at += 1
    return paths


def declared_names(tokens):
    """Of `type a, *b, c[2 + 3]`: a, b, c."""
    names, depth, part = [], 0, []
    for token in [*tokens, ","]:
        depth += {"[": 1, "]": -1, "(": 1, ")": -1}.get(token, 0)
        if token == "," and not depth:
            names.append(part[-1])
            part = []
        elif not depth and token not in "])":
            part.append(token)
    return names
