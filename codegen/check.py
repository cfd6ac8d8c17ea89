"""Does a parsed spec hold together?  Derives the wire of functions that do not spell it, and the replay classes."""

import re

from fault import SpecFault
from model import C_WORDS, Field

ARRAYS = ("ids", "u64s", "u32s", "bytes", "string", "bulk", "records")
FAULTS = ("refused", "memory", "quota", "too_large", "peer")  # what generated code answers with
ICD = "opencl"  # its functions that are generated send to the server of their first handle, and mint events only


class Checker:
    def __init__(self, spec):
        self.spec = spec

    def fail(self, line, message):
        raise SpecFault(self.spec.path, line, message)

    def check(self):
        self.ids_and_names()
        self.records()
        for function in self.spec.functions:
            if function.is_absent:
                continue
            self.class_fits(function)
            self.params(function)
            if function.call_class == "info":
                self.info_function(function)
            if function.sends:
                continue
            if function.has_wire and not function.explicit_wire:
                self.derive_wire(function)
            self.fields(function, function.wire)
            self.fields(function, function.reply or [], in_reply=True)
        for function in self.spec.functions:
            if function.sends:
                self.sends(function)
            if not function.is_absent:
                self.clauses(function)
        for function in sorted(self.spec.functions, key=lambda f: bool(f.sends)):
            if not function.is_absent and not function.replays:
                function.replays = self.replay_class(function)
        self.infos()
        self.faults()
        self.check_types()
        return self.spec

    def kind(self, kind, line):
        if kind not in self.spec.objects:
            self.fail(line, f"object kind {kind} is unknown: declare it with: object {kind} TYPE CODE;")

    def limit(self, value, line):
        if not value.isdigit() and value not in self.spec.limits:
            self.fail(line, f"limit {value} is unknown: declare it with: limit {value} NUMBER;")

    # ---- functions ----

    def ids_and_names(self):
        by_id, by_name = {}, {}
        for function in self.spec.functions:
            other = by_id.setdefault(function.id, function)
            if other is not function:
                self.fail(function.line, f"id {function.id} belongs to {other.name} (line {other.line}): "
                                         f"give {function.name} an id that was never used")
            other = by_name.setdefault(function.name, function)
            if other is not function:
                self.fail(function.line, f"{function.name} is declared twice (first on line {other.line}): remove one")
            if not 1 <= function.id <= 1023:
                self.fail(function.line, f"id {function.id} of {function.name} is out of range: 1 to 1023")

    def class_fits(self, function):
        line, name = function.line, function.name
        if function.is_message:
            if function.call_class not in ("post", "ask", "reverse"):
                self.fail(line, f"message {name} is {function.call_class}: a message is post, ask or reverse")
            function.manual_client = function.manual_server = True
        elif function.call_class == "reverse":
            self.fail(line, f"{name} is a function: only a message can be reverse")
        if function.call_class == "post" and function.reply is not None and not function.condition:
            self.fail(line, f"{name} is posted, so nobody waits for its reply: make it ask, or remove reply(...)")
        if function.call_class == "reverse" and function.reply is not None:
            self.fail(line, f"{name} goes to the client, which does not reply: remove reply(...)")
        if function.call_class in ("local", "info", "refused") and (function.explicit_wire or function.sends):
            self.fail(line, f"{name} is {function.call_class} and does not travel: remove wire(...) or sends")
        if function.call_class == "refused" and (function.manual_client or function.manual_server):
            self.fail(line, f"{name} is refused, so there is nothing to write by hand: remove manual")
        if function.flavour and not function.flavour_since:
            self.fail(line, f"{name} has a twin: say since when")
        if function.explicit_wire and not (function.manual_client and function.manual_server):
            self.fail(line, f"{name} spells its wire, so both sides are written by hand: say manual both, "
                            "or annotate the parameters instead")
        if function.sends and not (function.manual_client and function.manual_server):
            self.fail(function.sends_line, f"{name} sends another's record, so it is written by hand: say manual both")

    def params(self, function):
        names = {p.name: p for p in function.params}
        for param in function.params:
            if param.name in C_WORDS or not param.name:
                self.fail(param.line, f"a parameter of {function.name} has no usable name: give it one")
            if param.kind:
                self.kind(param.kind, param.line)
                c_type = self.spec.objects[param.kind].c_type
                if c_type not in param.c_type.split():
                    self.fail(param.line, f"{param.name} is a {param.kind}, whose type is {c_type}, not "
                                          f"{param.c_type}: fix one of them")
            if param.element_kind:
                self.kind(param.element_kind, param.line)
            if param.role in ("in", "out", "inout"):
                self.memory(function, param, names)
        if function.call_class == "local" and function.is_auto_client:
            if [p.role for p in function.params] not in (["retain"], ["release"]):
                self.fail(function.line, f"{function.name} is local and has no body: say retain(kind) or "
                                         "release(kind) of its only parameter, or manual client")

    def memory(self, function, param, names):
        """in, out, inout: each says how much, and how much at most."""
        role = param.role
        if not param.is_pointer:
            self.fail(param.line, f"{role}() describes memory behind a pointer, and {param.name} is none: remove it")
        if sum(map(bool, (param.count, param.bytes, param.one, param.string, param.measured))) != 1:
            self.fail(param.line, f"{role}() of {param.name} needs its length: count = PARAMETER for elements, or "
                                  "bytes = PARAMETER" + ("" if self.spec.api == ICD else
                                                         ", or one of: one, string, measured"))
        if role != "in" and "const" in param.c_type.split("*")[-2].split() and "*" not in param.element:
            self.fail(param.line, f"{param.name} is {role} and points to const: make it in, or fix the type")
        if param.measured and not function.manual_client and function.call_class != "local":
            self.fail(param.line, f"how much {param.name} is follows from something else: say manual client")
        for length in filter(None, (param.count, param.bytes)):
            self.length(function, param, names, length)
        if not param.max and not (param.count or param.bytes or "0").isdigit():
            self.fail(param.line, f"{role}() of {param.name} has no bound: add max = LIMIT, the most that a peer may "
                                  "send")
        if not param.max and (param.string or param.measured):
            self.fail(param.line, f"{role}() of {param.name} has no bound: add max = LIMIT, the most that a peer may "
                                  "send")
        if param.max:
            self.limit(param.max, param.line)
        if self.spec.api == ICD:
            self.icd_elements(param)
        elif param.element_kind and param.element != self.spec.objects[param.element_kind].c_type:
            self.fail(param.line, f"{param.name} has elements {param.element}, not "
                                  f"{self.spec.objects[param.element_kind].c_type}: fix the kind or the type")

    def length(self, function, param, names, length):
        if length.isdigit():
            return
        if length not in names:
            self.fail(param.line, f"the length of {param.name} is {length}, which {function.name} does not have: "
                                  "name one of its parameters")
        counted = names[length]
        if counted.role == "inout":
            return
        wire = self.spec.scalars.get(counted.c_type)
        if wire not in ("u32", "u64") and not (wire == "i32" and self.spec.api != ICD):
            self.fail(param.line, f"the length of {param.name} is {length}, which is no unsigned number: name another")

    def icd_elements(self, param):
        element = param.c_type.replace("const", "").replace("*", "").strip()
        if param.element_kind:
            if element != self.spec.objects[param.element_kind].c_type:
                self.fail(param.line, f"{param.name} has elements {element}, not "
                                      f"{self.spec.objects[param.element_kind].c_type}: fix the kind or the type")
        elif param.count and (element != "size_t" or param.count != "3"):
            self.fail(param.line, f"{param.name}: count is for handles, or count = 3 for three size_t; use bytes = "
                                  "for other memory, or manual both with wire(...)")

    # ---- the derived wire ----

    def derive_wire(self, function):
        if function.manual_client and function.manual_server:
            self.fail(function.line, f"{function.name} is written by hand on both sides: say what travels with "
                                     "wire(...)")
        if function.result != self.spec.result:
            self.fail(function.line, f"{function.name} returns {function.result}: only functions that return "
                                     f"{self.spec.result} can be generated; use manual both with wire(...)")
        if function.reply is not None:
            self.fail(function.line, f"{function.name} has a reply with fields: use manual both with wire(...)")
        for param in function.params:
            function.wire += self.derive_field(function, param)
        if function.flavour:
            function.wire.append(Field("u32", "per_thread", function.line))
        if self.spec.api != ICD:
            self.derive_reply(function)
        if function.given_bits():
            function.wire.append(Field("u32", "given", function.line))
        if self.spec.api == ICD and not function.first_handle():
            self.fail(function.line, f"{function.name} has no handle(kind) that says to which server it goes: "
                                     "annotate one, or use manual both with wire(...)")
        if self.spec.api == ICD and function.manual_client:
            self.fail(function.line, f"{function.name} is written by hand in the client: give its wire(...)")

    def derive_field(self, function, param):
        line = param.line
        if param.role in ("handle", "mint", "release") and not (param.role == "release" and self.spec.api == ICD):
            if self.spec.api == ICD and param.role == "mint" and (param.kind != "event" or not function.first_handle("queue")):
                self.fail(line, f"{param.name}: only the event of a command can be minted by generated code; use "
                                "manual both with wire(...)")
            return [Field("mint" if param.role == "mint" else "handle", param.name, line, kind=param.kind,
                          optional=param.optional)]
        if param.role == "in" and self.spec.api == ICD and param.count and not param.element_kind:
            return [Field("u64x3", param.name, line)]
        if param.role == "in" and not param.measured:
            return [self.memory_field(function, param)]
        if param.role in ("out", "inout") and not param.measured:
            # what comes back needs no room in the call, but how much there is room for is said by its length
            return [] if param.role == "out" else [self.memory_field(function, param)]
        if param.c_type in self.spec.scalars and not param.role:
            return [Field(self.spec.scalars[param.c_type], param.name, line)]
        record = self.spec.record_of(param.c_type)
        if record and not param.role:
            return [Field("record", param.name, line, kind=record.name)]
        return self.fail(line, f"{param.name} of {function.name} ({param.declaration}) cannot travel as it is: "
                               "annotate it with handle(), in() or mint(), or use manual both with wire(...)")

    def memory_field(self, function, param):
        """The field of memory behind a pointer, on its way there or back."""
        line, element = param.line, param.element
        if param.string:
            return Field("string", param.name, line, max=param.max)
        if param.bytes:
            return Field("bytes", param.name, line, max=param.max or param.bytes)
        if param.element_kind:
            return Field("handle" if param.one else "ids", param.name, line, kind=param.element_kind, max=param.max)
        record, word = self.spec.record_of(element), self.spec.scalars.get(element)
        if record:
            return Field("record" if param.one else "records", param.name, line, kind=record.name,
                         max="" if param.one else param.max or param.count)
        if word and param.one:
            return Field(word, param.name, line)
        if word in ("u64", "u32", "i32"):
            return Field("u64s" if word == "u64" else "u32s", param.name, line, max=param.max or param.count)
        return self.fail(line, f"{param.name} of {function.name} has elements {element}, which cannot travel as they "
                               "are: declare it as scalar or record, or use manual both with wire(...)")

    def derive_reply(self, function):
        back = [self.memory_field(function, p) for p in function.params if p.role in ("out", "inout")]
        if back:
            function.reply = back
        if back and function.call_class != "ask":
            self.fail(function.line, f"{function.name} is {function.call_class}, so nobody waits for {back[0].name}: "
                                     "make it ask, or local and manual client")

    def check_types(self):
        """A check is one function: everywhere it takes the same types."""
        first = {}
        for function in self.spec.functions if self.spec.api != ICD else []:
            types = {p.name: p.c_type for p in function.params}
            for check in function.checks:
                takes = [types[arg] for arg in check.args]
                other, name = first.setdefault(check.name, (takes, function.name))
                if takes != other:
                    self.fail(check.line, f"{check.name} takes ({', '.join(takes)}) here and ({', '.join(other)}) in "
                                          f"{name}: give it another name")

    def faults(self):
        wanted = [*FAULTS, *(["version"] if any(r.version for r in self.spec.records.values()) else [])]
        missing = [name for name in wanted if name not in self.spec.faults]
        if self.spec.api != ICD and missing:
            self.fail(self.spec.line, f"fault {missing[0]} is missing: declare it with: fault {missing[0]} CODE;")

    def records(self):
        for record in self.spec.records.values():
            for member in record.members:
                if member.kind:
                    self.kind(member.kind, member.line)
                    if not record.by_hand:
                        self.fail(member.line, f"member {member.path} is a handle, which somebody must look up: say by "
                                               "hand")
                if member.type == "raw" and not 1 <= member.bytes <= 4096:
                    self.fail(member.line, f"member {member.path} has {member.bytes} bytes: 1 to 4096")
            if record.version and not any(m.path == "version" for m in record.members):
                self.fail(record.line, f"record {record.name} has a version and no member of that name: add u32 version")
            if not record.members:
                self.fail(record.line, f"record {record.name} has no members: add them, or remove it")

    def fields(self, function, fields, in_reply=False):
        minted = bulk = None
        for field in fields:
            if field.name in C_WORDS:
                self.fail(field.line, f"field {field.name} is a word of C: rename it")
            if field.type in ("handle", "mint", "ids"):
                if not field.kind:
                    self.fail(field.line, f"{field.type} of {field.name} needs a kind: {field.type}(queue)")
                self.kind(field.kind, field.line)
            if field.type in ARRAYS and not field.max:
                self.fail(field.line, f"{field.type} {field.name} has no bound: add max = LIMIT, the most that a peer "
                                      "may send")
            if field.type in ("record", "records") and field.kind not in self.spec.records:
                self.fail(field.line, f"record {field.kind or '?'} of {field.name} is unknown: declare it with: record "
                                      f"{field.kind or 'NAME'} TYPE {{ MEMBERS }}")
            if field.type == "properties":
                field.max = "PROPERTIES_MAX"
            if field.max:
                self.limit(field.max, field.line)
            if field.type == "mint":
                if in_reply:
                    self.fail(field.line, f"{field.name} is minted in a reply: the client makes ids, so mint() stands "
                                          "in wire(...)")
                if minted:
                    self.fail(field.line, f"{function.name} mints {minted.name} and {field.name}: a call makes one "
                                          "object")
                minted = field
            if field.type == "bulk":
                if bulk:
                    self.fail(field.line, f"{function.name} has two bulk fields in one record: join them")
                bulk = field
        if function.call_class == "mint" and not minted and not in_reply:
            self.fail(function.line, f"{function.name} is of class mint and mints nothing: add mint(kind), or make it "
                                     "ask or post")

    def info_function(self, function):
        params = function.params
        tail = [p.c_type for p in params[-3:]]
        if function.info not in self.spec.infos:
            self.fail(function.line, f"info {function.info} is unknown: add info {function.info} {{ * : ask; }}")
        if function.manual_client:
            return
        if tail != ["size_t", "void *", "size_t *"] or not params or params[0].role != "handle":
            self.fail(function.line, f"{function.name} does not look like a query: handle(kind) first and size_t, "
                                     "void *, size_t * last")

    def sends(self, function):
        other = self.spec.function(function.sends)
        if not other or not other.has_wire:
            self.fail(function.sends_line, f"{function.name} sends {function.sends}, which has no wire of its own: "
                                           "name a function with wire(...)")
        if function.explicit_wire or function.reply is not None:
            self.fail(function.sends_line, f"{function.name} sends {function.sends}'s record: remove its own wire or "
                                           "reply")
        if function.charges:
            self.fail(function.charges[0].line, f"{function.name} is charged what {other.name} is charged: "
                                               "remove charges")
        if bool(other.call_class == "mint") != bool(function.call_class == "mint"):
            self.fail(function.sends_line, f"{function.name} is {function.call_class} and {other.name} is "
                                           f"{other.call_class}: make them one class")

    # ---- clauses ----

    def clauses(self, function):
        params = {p.name for p in function.params}
        fields = {f.name: f for f in self.spec.layout_of(function).wire}
        if function.condition_field and function.condition_field not in fields:
            self.fail(function.line, f"{function.name} depends on {function.condition_field}, which does not travel: "
                                     "name a field of its wire")
        if function.checks and not function.is_auto_client:
            self.fail(function.checks[0].line, f"{function.name} is written by hand in the client, where its checks "
                                               "belong: remove checks")
        if function.checks and function.call_class == "ask":
            self.fail(function.checks[0].line, f"{function.name} is always asked, so nothing needs checking: remove "
                                               "checks, or make it post")
        for check in function.checks:
            for arg in check.args:
                if arg not in params:
                    self.fail(check.line, f"{check.name} checks {arg}, which {function.name} does not have: name one "
                                          "of its parameters")
            if not check.args:
                self.fail(check.line, f"{check.name} has no arguments: name parameters of {function.name}")
        for charge in function.charges:
            self.charge(function, charge, fields)

    def charge(self, function, charge, fields):
        if not function.is_called:
            self.fail(charge.line, f"{function.name} never reaches the server: remove charges")
        if charge.what == "object":
            if not any(f.type == "mint" for f in fields.values()) and not function.reply:
                self.fail(charge.line, f"{function.name} makes no object: remove 'object' or add mint(kind)")
            return
        if charge.field not in fields:
            self.fail(charge.line, f"{charge.what} is charged by {charge.field}, which does not travel: name a "
                                   f"field of {function.name}'s wire")
        if fields[charge.field].type not in ("u64", "u32", "bulk", "bytes"):
            self.fail(charge.line, f"{charge.what} is charged by {charge.field}, which is no amount: name a u64, u32, "
                                   "bytes or bulk field")

    def replay_class(self, function):
        """Commands have ended when a session moves, so only what makes or changes objects is said again."""
        if function.sends:
            return self.spec.layout_of(function).replays
        minted = next((f for f in function.wire if f.type == "mint"), None)
        if self.spec.api != ICD:
            ends = any(p.role == "release" for p in function.params)
            gives = any(f.type in ("ids", "handle") for f in function.reply or [])
            return "makes" if function.is_called and (minted or ends or gives) else "none"
        on_queue = bool(function.wire) and function.wire[0].type == "handle" and function.wire[0].kind == "queue"
        if not function.is_called or on_queue:
            return "none"
        return "record" if minted or function.call_class == "post" else "none"

    def infos(self):
        used = {f.info for f in self.spec.functions if f.info}
        for info in self.spec.infos.values():
            if info.name not in used:
                self.fail(info.line, f"info {info.name} is used by no function: remove it, or add info({info.name})")
            if not any(row.param == "*" for row in info.rows):
                self.fail(info.line, f"info {info.name} has no row for the rest: add * : ask;")
            for row in info.rows:
                if row.kind:
                    self.kind(row.kind, row.line)
                if row.param != "*" and not re.fullmatch(r"CL_[A-Z0-9_]+", row.param):
                    self.fail(row.line, f"'{row.param}' is no parameter of a query: CL_..., or *")


def check(spec):
    return Checker(spec).check()
