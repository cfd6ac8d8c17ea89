"""Reads a spec's text into the model.  Grammar: docs/spec.md.  What must fit together is checked in check.py."""

from fault import SpecFault
from lex import split
from model import (C_SCALARS, C_TYPES, CHARGES, CLASSES, HOWS, REPLAYS, Charge, Check, Field, Function, Info,
                   InfoRow, Limit, Member, Object, Param, Record, Spec)

FIELD_TYPES = ("u64", "u32", "i32", "f32", "u64x3", "handle", "mint", "ids", "u64s", "u32s", "bytes", "string", "bulk",
               "properties", "record", "records")
MEMBER_TYPES = ("u64", "u32", "i32", "f32", "handle", "raw")
WORD_TYPES = ("u64", "u32", "i32", "f32")
ROLES = ("handle", "in", "out", "inout", "mint", "retain", "release")
BARE_ROLES = ("out", "inout", "callback", "user", "host")
DECLARATIONS = ("object", "limit", "info", "since", "result", "prefix", "fault", "scalar", "type", "record", "sessions",
                "partial")
CLAUSES = ("wire", "reply", "sends", "checks", "charges", "replays", "manual", "turn", "extension")


class Parser:
    def __init__(self, text, path):
        self.path = path
        self.tokens = split(text, path)
        self.at = 0
        self.since_now = ""
        self.spec = Spec(path)

    # ---- tokens ----

    @property
    def here(self):
        return self.tokens[self.at]

    def fail(self, message, line=None):
        raise SpecFault(self.path, line or self.here.line, message)

    def take(self):
        token = self.here
        if token.kind == "end":
            self.fail("the file ends in the middle of a declaration: finish it with ;")
        self.at += 1
        return token

    def sign(self, text, why):
        if self.here.text != text:
            self.fail(f"'{self.here.text}' stands where '{text}' must: {why}")
        return self.take()

    def skip(self, text):
        if self.here.text == text:
            self.at += 1
            return True
        return False

    def name(self, what):
        if self.here.kind != "name":
            self.fail(f"'{self.here.text}' stands where {what} must")
        return self.take()

    def number(self, what):
        if self.here.kind != "number":
            self.fail(f"'{self.here.text}' stands where {what} must: write a number")
        token = self.take()
        return int(token.text, 0), token.line

    # ---- the file ----

    def parse(self):
        self.api()
        while self.here.kind != "end":
            word = self.here.text
            if word == "@":
                self.function()
            elif word in DECLARATIONS:
                getattr(self, word)()
            else:
                self.fail(f"'{word}' begins nothing: {', '.join(DECLARATIONS)}, or @number of a function")
        return self.spec

    def api(self):
        if self.here.text != "api":
            self.fail("a spec begins with: api NAME VERSION;")
        self.spec.line = self.take().line
        self.spec.api = self.name("the API's name").text
        self.spec.version, _ = self.number("the API's version")
        self.sign(";", "the line ends here")

    def object(self):
        line = self.take().line
        name, c_type, invalid = (self.name(what).text for what in
                                 ("the kind's name", "its C type", "the code for an invalid one"))
        reserved = self.number("how many values are no objects")[0] if self.skip("reserved") else 0
        self.sign(";", "an object is: object NAME TYPE CODE;")
        if name in self.spec.objects:
            first = self.spec.objects[name].line
            self.fail(f"object {name} is declared twice (first on line {first}): remove one", line)
        self.spec.objects[name] = Object(name, c_type, invalid, line, len(self.spec.objects) + 1, reserved)

    def limit(self):
        line = self.take().line
        name = self.name("the limit's name").text
        value, _ = self.number("the limit's value")
        self.sign(";", "a limit is: limit NAME NUMBER;")
        if name in self.spec.limits:
            self.fail(f"limit {name} is declared twice (first on line {self.spec.limits[name].line}): remove one", line)
        self.spec.limits[name] = Limit(name, value, line)

    def version(self):
        major, _ = self.number("a version")
        self.sign(".", "a version is MAJOR.MINOR")
        minor, _ = self.number("a version")
        return f"{major}.{minor}"

    def since(self):
        self.take()
        self.since_now = self.version()
        self.sign(";", "since is: since MAJOR.MINOR;")

    def result(self):
        self.take()
        self.spec.result = self.name("the type that functions return").text
        self.spec.ok = self.name("the code of success").text
        self.sign(";", "the result is: result TYPE CODE;")
        self.spec.scalars, self.spec.types = dict(C_SCALARS), set(C_TYPES)

    def prefix(self):
        self.take()
        self.spec.prefix = self.name("the prefix of the C names").text
        self.sign(";", "the prefix is: prefix NAME;")

    def sessions(self):
        self.take()
        word = self.name("'many' or 'apart'").text
        if word not in ("many", "apart"):
            self.fail("the words are: sessions many; or: sessions apart TYPE;", self.tokens[self.at - 1].line)
        if word == "many":
            self.spec.many_sessions = True
        else:
            self.spec.apart_type = self.name("the type of an address").text
        self.sign(";", "it ends here: sessions many; or: sessions apart TYPE;")

    def partial(self):
        self.take()
        self.spec.partial = self.name("the code with which counts come back").text
        self.sign(";", "it is: partial CODE;")

    def fault(self):
        line = self.take().line
        what = self.name("what went wrong").text
        if what in self.spec.faults:
            self.fail(f"fault {what} stands twice: remove one", line)
        self.spec.faults[what] = self.name("the API's code for it").text
        self.sign(";", "a fault is: fault NAME CODE;")

    def scalar(self):
        self.take()
        wire = self.name("u64, u32, i32 or f32")
        if wire.text not in WORD_TYPES:
            self.fail(f"'{wire.text}' is no word: {', '.join(WORD_TYPES)}", wire.line)
        self.list_of(lambda: self.spec.scalars.update({self.name("a C type").text: wire.text}))
        self.sign(";", "scalars are: scalar WORD TYPE, TYPE;")

    def type(self):
        self.take()
        self.list_of(lambda: self.spec.types.add(self.name("a C type").text))
        self.sign(";", "types are: type TYPE, TYPE;")

    def record(self):
        line = self.take().line
        name, c_type = self.name("the record's name").text, self.name("its C type").text
        if name in self.spec.records:
            self.fail(f"record {name} is declared twice (first on line {self.spec.records[name].line}): remove one", line)
        by_hand = self.skip("by")
        if by_hand and self.name("'hand'").text != "hand":
            self.fail("the words are: by hand")
        record = Record(name, c_type, line, [], by_hand)
        record.devices = self.skip("devices")
        if self.skip("version"):
            record.version = self.name("what its member version says").text
        self.sign("{", "record NAME TYPE { MEMBERS }")
        while not self.skip("}"):
            self.members(record)
        self.spec.records[name] = record

    def members(self, record):
        token = self.name("a member's type")
        if token.text not in MEMBER_TYPES:
            self.fail(f"'{token.text}' is no type of a member: {', '.join(MEMBER_TYPES)}", token.line)
        kind, size = "", 0
        if token.text in ("handle", "raw"):
            self.sign("(", f"{token.text} says more: handle(KIND), raw(BYTES)")
            if token.text == "handle":
                kind = self.name("an object kind").text
            else:
                size, _ = self.number("the bytes")
            self.sign(")", "the bracket ends here")

        def one():
            words = [self.name("a member")]
            while self.skip("."):
                words.append(self.name("a member of it"))
            path = ".".join(w.text for w in words)
            member = Member(token.text, path.replace(".", "_"), path, words[0].line, kind, size)
            if any(m.name == member.name for m in record.members):
                self.fail(f"member {path} stands twice in record {record.name}: remove one", member.line)
            record.members.append(member)
        self.list_of(one)
        self.sign(";", "members end with ;")

    def info(self):
        line = self.take().line
        name = self.name("the name of the queries").text
        if name in self.spec.infos:
            self.fail(f"info {name} stands twice (first on line {self.spec.infos[name].line}): make one of them", line)
        self.sign("{", "info NAME { PARAM : HOW; ... }")
        rows = []
        while not self.skip("}"):
            row_line = self.here.line
            param = self.take().text
            self.sign(":", "a row is: PARAM : HOW;")
            how = self.name("how it is answered").text
            kind = ""
            if how not in HOWS:
                self.fail(f"'{how}' is no way to answer a query: {', '.join(HOWS)}", row_line)
            if how in ("handle", "handles"):
                self.sign("(", f"{how} needs a kind: {how}(queue)")
                kind = self.name("an object kind").text
                self.sign(")", "the kind ends here")
            self.sign(";", "each row ends with ;")
            if any(row.param == param for row in rows):
                self.fail(f"{param} stands twice in info {name}: remove one", row_line)
            rows.append(InfoRow(param, how, kind, row_line))
        self.spec.infos[name] = Info(name, line, rows)

    # ---- functions ----

    def function(self):
        line = self.take().line
        ident, _ = self.number("the function's id behind @")
        function = Function(ident, "", line, since=self.since_now)
        if self.skip("absent"):
            function.name, function.is_absent = self.name("the function's name").text, True
            self.sign(";", "an absent function has a name and nothing else")
            self.spec.functions.append(function)
            return
        self.call_class(function)
        self.flags(function)
        if self.skip("message"):
            function.is_message = True
            function.name = self.name("the message's name").text
            self.sign("(", "a message is: message NAME(FIELDS)")
            function.wire, function.explicit_wire = self.fields(), True
        else:
            self.prototype(function)
        self.clauses(function)
        self.spec.functions.append(function)

    def call_class(self, function):
        word = self.name("a class").text
        if word not in CLASSES:
            self.fail(f"'{word}' is no class: {', '.join(CLASSES)}, or absent", self.tokens[self.at - 1].line)
        function.call_class = word
        if word == "info":
            self.sign("(", "say which queries: info(device)")
            function.info = self.name("the name of the queries").text
            self.sign(")", "the name ends here")
        elif word == "refused":
            function.refusal = self.name("the code that it returns").text
            if self.here.kind != "string":
                self.fail('say why: refused CODE "reason"')
            function.reason = self.take().text
        elif word in ("post", "ask") and self.skip("("):
            other = self.name("the other class").text
            if other not in ("post", "ask") or other == word:
                self.fail(f"'{other}' is not the other class: post(ask if FIELD) or ask(post if !FIELD)")
            if self.name("'if'").text != "if":
                self.fail("a condition is: post(ask if FIELD) or ask(post if !FIELD)")
            negated = self.skip("!")
            function.condition_field = self.name("the field that decides").text
            function.condition = f"{other} if {'!' if negated else ''}{function.condition_field}"
            self.sign(")", "the condition ends here")

    def flag(self, function):
        """One of manual, turn, extension, since, ptds, ptsz; False when none stands here."""
        if self.skip("manual"):
            side = self.name("client, server or both").text
            if side not in ("client", "server", "both"):
                self.fail(f"'{side}' is no side: manual client, manual server or manual both",
                          self.tokens[self.at - 1].line)
            function.manual_client |= side in ("client", "both")
            function.manual_server |= side in ("server", "both")
        elif self.skip("turn"):
            if self.name("'gives'").text != "gives":
                self.fail("the words are: turn gives", self.tokens[self.at - 1].line)
            function.gives_turn = True
        elif self.skip("extension"):
            function.extension = self.name("the extension's name").text
        elif self.skip("since"):
            function.since = self.version()
        elif self.here.text in ("ptds", "ptsz"):
            function.flavour = self.take().text
            function.flavour_since = self.version()
        else:
            return False
        return True

    def flags(self, function):
        while self.flag(function):
            pass

    def prototype(self, function):
        words = []
        while self.here.text != "(":
            token = self.take()
            if token.kind == "sign" and token.text != "*":
                self.fail(f"'{token.text}' stands in the middle of a prototype: TYPE NAME(PARAMETERS)", token.line)
            words.append(token)
        if len(words) < 2:
            self.fail("a prototype is: TYPE NAME(PARAMETERS)")
        function.name = words[-1].text
        function.result = c_text([w.text for w in words[:-1]])
        self.sign("(", "the parameters begin here")
        if self.here.text == "void" and self.tokens[self.at + 1].text == ")":
            self.at += 2
            return
        while True:
            param = self.param()
            if any(p.name == param.name for p in function.params):
                self.fail(f"parameter {param.name} stands twice in {function.name}: rename one", param.line)
            function.params.append(param)
            if self.skip(")"):
                return
            self.sign(",", f"parameters of {function.name} are divided by commas and end with )")

    def param(self):
        param = Param("", "", "", self.here.line)
        while self.here.text in BARE_ROLES or self.here.text in ROLES and self.tokens[self.at + 1].text == "(":
            self.role(param)
        words, depth = [], 0
        while depth or self.here.text not in (",", ")"):
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            words.append(token)
        names = [w for w in words if w.kind == "name"]
        if len(names) < 2:
            self.fail("a parameter is: TYPE NAME", param.line)
        texts = [w.text for w in words]
        if "(" in texts:
            param.name = texts[texts.index("*") + 1] if "*" in texts else ""
            self.types_known(names, skip=param.name)
        else:
            param.name = words[-1].text
            param.c_type = c_text(texts[:-1])
            self.types_known(names[:-1])
        param.declaration = c_text(texts)
        return param

    def types_known(self, names, skip=None):
        objects = {o.c_type for o in self.spec.objects.values()}
        for token in names:
            if token.text in ("const", skip) or token.text in self.spec.types or token.text in self.spec.scalars:
                continue
            if token.text not in objects and not self.spec.record_of(token.text):
                self.fail(f"type {token.text} is unknown: use a type of an object or of codegen/model.py, "
                          "or add it there" + (" or with: type NAME;" if self.spec.prefix != "cl" else ""), token.line)

    def role(self, param):
        role = self.take().text
        if role in BARE_ROLES and self.here.text != "(":
            if param.role not in ("", "out"):
                self.fail(f"a parameter has one direction: {param.role} and {role} do not go together")
            param.role = param.role or role
            param.one |= role in ("out", "inout")
            return
        self.take()
        if role in ("in", "out", "inout"):
            param.role = role
            self.in_options(param)
            return
        kind = self.name("an object kind").text
        if role == "handle" and param.role in ("in", "out"):
            param.element_kind = kind
        elif param.role:
            self.fail(f"a parameter has one direction: {param.role} and {role} do not go together")
        else:
            param.role, param.kind = role, kind
        while self.skip(","):
            word = self.name("optional or required").text
            if word not in ("optional", "required"):
                self.fail(f"'{word}' is no option of {role}: optional, required", self.tokens[self.at - 1].line)
            param.optional = word == "optional"
        self.sign(")", f"{role}(KIND) ends here")

    def in_options(self, param):
        while True:
            word = self.name("count, bytes, max or optional").text
            if word in ("optional", "one", "string", "measured"):
                setattr(param, word, True)
            elif word in ("count", "bytes", "max"):
                self.sign("=", f"{word} has a value: {word} = NAME")
                if self.here.kind not in ("name", "number"):
                    self.fail(f"{word} is a name or a number")
                setattr(param, word, self.take().text)
            else:
                self.fail(f"'{word}' is no option of {param.role}: count, bytes, max, optional, one, string, measured",
                          self.tokens[self.at - 1].line)
            if self.skip(")"):
                return
            self.sign(",", f"options of {param.role} are divided by commas and end with )")

    def fields(self):
        """Behind the opening bracket."""
        fields = []
        if self.skip(")"):
            return fields
        while True:
            field = self.field()
            if any(f.name == field.name for f in fields):
                self.fail(f"field {field.name} stands twice: rename one", field.line)
            fields.append(field)
            if self.skip(")"):
                return fields
            self.sign(",", "fields are divided by commas and end with )")

    def field(self):
        token = self.name("a field's type")
        if token.text not in FIELD_TYPES:
            self.fail(f"'{token.text}' is no type of a field: {', '.join(FIELD_TYPES)}", token.line)
        field = Field(token.text, "", token.line)
        if self.skip("("):
            if token.text in ("handle", "mint", "ids", "properties", "record", "records"):
                field.kind = self.name("a kind").text
                self.skip(",")
            while not self.skip(")"):
                self.field_option(field)
                self.skip(",")
        field.name = self.name("the field's name").text
        return field

    def field_option(self, field):
        word = self.name("an option").text
        if word == "max":
            self.sign("=", "max has a value: max = LIMIT")
            if self.here.kind not in ("name", "number"):
                self.fail("max is the name of a limit, or a number")
            field.max = self.take().text
        elif word in ("optional", "required") and field.type in ("handle", "mint"):
            field.optional = word == "optional"
        else:
            self.fail(f"'{word}' is no option of {field.type}", self.tokens[self.at - 1].line)

    # ---- clauses ----

    def clauses(self, function):
        while not self.skip(";"):
            if self.flag(function):
                continue
            token = self.take()
            if token.text == "wire":
                self.sign("(", "fields stand in brackets: wire(...)")
                if function.explicit_wire:
                    self.fail(f"{function.name} has two wires: keep one", token.line)
                function.wire, function.explicit_wire = self.fields(), True
            elif token.text == "reply":
                self.sign("(", "fields stand in brackets: reply(...)")
                if function.reply is not None:
                    self.fail(f"{function.name} has two replies: keep one", token.line)
                function.reply = self.fields()
            elif token.text == "sends":
                function.sends, function.sends_line = self.name("a function").text, token.line
            elif token.text == "replays":
                function.replays = self.name("how it is replayed").text
                if function.replays not in REPLAYS:
                    self.fail(f"'{function.replays}' is no way to replay: {', '.join(REPLAYS)}", token.line)
            elif token.text == "checks":
                self.list_of(lambda: self.check(function))
            elif token.text == "charges":
                self.list_of(lambda: self.charge(function))
            else:
                self.fail(f"'{token.text}' is no clause of a function: {', '.join(CLAUSES)}; or a ; is missing "
                          f"behind {function.name}", token.line)

    def list_of(self, one):
        one()
        while self.skip(","):
            one()

    def check(self, function):
        token = self.name("a check")
        args = []
        self.sign("(", f"a check has arguments: {token.text}(...)")
        while not self.skip(")"):
            args.append(self.name("a parameter").text)
            self.skip(",")
        function.checks.append(Check(token.text, args, token.line))

    def charge(self, function):
        token = self.name("a charge")
        if token.text not in CHARGES:
            self.fail(f"'{token.text}' is nothing that can be charged: {', '.join(CHARGES)}", token.line)
        field = ""
        if token.text != "object":
            self.sign("(", f"{token.text} needs a field: {token.text}(size)")
            field = self.name("a field").text
            self.sign(")", "the field ends here")
        function.charges.append(Charge(token.text, field, token.line))


def c_text(words):
    """Tokens of a C declaration in the style of the kernel."""
    text = ""
    for word in words:
        if text and text[-1] not in "*(" and word not in (",", ")"):
            text += " "
        text += word
    return text


def parse(text, path):
    return Parser(text, path).parse()
