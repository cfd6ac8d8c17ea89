"""What a spec says, after it was parsed and checked.  No text of C and no text of a spec is made here."""

import re
from dataclasses import dataclass, field

CLASSES = ("local", "post", "mint", "ask", "info", "reverse", "refused")
REPLAYS = ("none", "makes", "record")
CHARGES = ("object", "memory", "host", "inflight")
HOWS = ("const", "ask", "refs", "local", "handle", "handles")

# C types of parameters that travel as one word, and how; a spec adds its API's own with `scalar`
SCALARS = {
    "i32": ("cl_int",),
    "u32": ("cl_uint", "cl_bool", "cl_addressing_mode", "cl_filter_mode", "cl_mem_object_type",
            "cl_buffer_create_type", "cl_platform_info", "cl_device_info", "cl_context_info",
            "cl_command_queue_info", "cl_mem_info", "cl_image_info", "cl_pipe_info", "cl_sampler_info",
            "cl_program_info", "cl_program_build_info", "cl_kernel_info", "cl_kernel_arg_info",
            "cl_kernel_work_group_info", "cl_kernel_sub_group_info", "cl_event_info", "cl_profiling_info",
            "cl_kernel_exec_info"),
    "u64": ("size_t", "cl_ulong", "cl_device_type", "cl_mem_flags", "cl_map_flags", "cl_svm_mem_flags",
            "cl_mem_migration_flags", "cl_command_queue_properties"),
}
SCALAR_OF = {name: wire for wire, names in SCALARS.items() for name in names}

# C types that may only stand behind a pointer, in functions whose client side is written by hand
OTHER_TYPES = ("void", "char", "unsigned", "cl_context_properties", "cl_queue_properties", "cl_sampler_properties",
               "cl_pipe_properties", "cl_mem_properties", "cl_device_partition_property", "cl_image_format",
               "cl_image_desc")

# the same for every API whose spec says `result`, that is, for all but OpenCL
C_SCALARS = {"int": "i32", "unsigned int": "u32", "unsigned char": "u32", "unsigned short": "u32", "float": "f32",
             "size_t": "u64", "unsigned long": "u64", "unsigned long long": "u64"}
C_TYPES = ("void", "char", "unsigned", "int", "short", "long", "float", "size_t")

C_WORDS = frozenset("""auto break case char const continue default do double else enum extern float for goto if inline
int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile
while""".split())


@dataclass
class Object:
    name: str
    c_type: str
    invalid: str
    line: int
    number: int = 0
    reserved: int = 0  # so many first values are names that the API gives, not objects


@dataclass
class Member:
    """One member of a record: `path` in the C structure, `name` in ours."""
    type: str  # u64 u32 i32 f32 handle, or raw
    name: str
    path: str
    line: int
    kind: str = ""
    bytes: int = 0  # raw

    @property
    def words(self):
        return (self.bytes + 7) // 8 if self.type == "raw" else 1


@dataclass
class Record:
    """A structure of the API, and how it travels."""
    name: str
    c_type: str
    line: int
    members: list
    by_hand: bool = False  # from and to the C structure: a union, or pointers
    version: str = ""  # what its member `version` says; other values are another structure
    devices: bool = False  # it has numbers of devices, which are others for each server

    @property
    def words(self):
        return sum(m.words for m in self.members)


@dataclass
class Limit:
    name: str
    value: int
    line: int


@dataclass
class Field:
    """One field of a record."""
    type: str  # u64 u32 i32 f32 handle mint ids u64s u32s bytes string bulk u64x3 properties record records
    name: str
    line: int
    kind: str = ""  # object kind, or what a property list is about
    max: str = ""  # name of a limit, or a number
    optional: bool = False

    @property
    def is_word(self):
        return self.type in ("u64", "u32", "i32", "f32", "handle", "mint")


@dataclass
class Param:
    """One parameter of a C function."""
    name: str
    c_type: str  # without the name; "" for pointers to functions
    declaration: str  # as it stands in a prototype
    line: int
    role: str = ""  # "", handle, in, out, inout, mint, retain, release, callback, user, host
    kind: str = ""  # object kind
    count: str = ""  # in: a parameter or a number
    bytes: str = ""
    max: str = ""
    optional: bool = False
    element_kind: str = ""  # in(...) handle(kind)
    one: bool = False  # one element
    string: bool = False  # up to the NUL
    measured: bool = False  # another parameter or the content says how much: by hand

    @property
    def is_pointer(self):
        return "*" in self.declaration

    @property
    def element(self):
        """The C type behind the pointer."""
        return self.c_type.replace("const", "", 1).rsplit("*", 1)[0].strip() if self.is_pointer else self.c_type


@dataclass
class Check:
    name: str
    args: list
    line: int


@dataclass
class Charge:
    what: str
    field: str
    line: int


@dataclass
class Function:
    id: int
    name: str
    line: int
    call_class: str = ""
    condition: str = ""  # "ask if blocking"
    condition_field: str = ""
    info: str = ""
    is_message: bool = False
    is_absent: bool = False
    since: str = ""
    extension: str = ""
    result: str = ""
    params: list = field(default_factory=list)
    manual_client: bool = False
    manual_server: bool = False
    gives_turn: bool = False
    flavour: str = ""  # ptds, ptsz: a twin with this suffix whose default stream is the thread's own
    flavour_since: str = ""
    refusal: str = ""  # refused: the code, and why
    reason: str = ""
    explicit_wire: bool = False
    wire: list = field(default_factory=list)
    reply: list = None
    sends: str = ""
    sends_line: int = 0
    checks: list = field(default_factory=list)
    charges: list = field(default_factory=list)
    replays: str = ""

    @property
    def has_wire(self):
        """It has a layout of its own."""
        return self.call_class in ("post", "mint", "ask", "reverse") and not self.sends and not self.is_absent

    @property
    def is_called(self):
        """The client sends it under its own op."""
        return self.call_class in ("post", "mint", "ask") and not self.is_absent

    @property
    def is_slot(self):
        """It has a slot in the ICD's table."""
        return not self.is_message and not self.extension

    @property
    def is_function(self):
        return not self.is_message and not self.is_absent

    @property
    def base_name(self):
        """By which cuGetProcAddress() knows it: every version has the same."""
        return re.sub(r"_v[0-9]+$", "", self.name)

    @property
    def symbols(self):
        """(exported name, flavour, since)"""
        own = [(self.name, "", self.since)]
        return own + ([(f"{self.name}_{self.flavour}", self.flavour, self.flavour_since)] if self.flavour else [])

    @property
    def is_auto_client(self):
        return not self.is_message and not self.is_absent and not self.manual_client

    @property
    def is_auto_server(self):
        return self.is_called and not self.manual_server

    def given_bits(self):
        """Pointers whose being NULL travels in the field `given`: name -> bit."""
        pointers = [p.name for p in self.params if p.role == "in" or p.role in ("out", "inout") and p.optional]
        return {name: bit for bit, name in enumerate(pointers)}

    def first_handle(self, kind=None):
        for wire_field in self.wire:
            if wire_field.type == "handle" and kind in (None, wire_field.kind):
                return wire_field
        return None


@dataclass
class InfoRow:
    param: str  # "*" or a CL constant
    how: str
    kind: str
    line: int


@dataclass
class Info:
    name: str
    line: int
    rows: list


@dataclass
class Spec:
    path: str
    api: str = ""
    line: int = 0  # of the API's name
    version: int = 0
    objects: dict = field(default_factory=dict)
    limits: dict = field(default_factory=dict)
    functions: list = field(default_factory=list)
    infos: dict = field(default_factory=dict)
    prefix: str = "cl"  # pl_<prefix>_... in C
    result: str = "cl_int"  # what functions return
    ok: str = "CL_SUCCESS"
    many_sessions: bool = False  # objects of several servers in one process: a call goes where its first handle is
    apart_type: str = ""  # as well, or where its first address is, of this type; else where the thread is
    partial: str = ""  # with this code too, what is inout and one word comes back
    scalars: dict = field(default_factory=lambda: dict(SCALAR_OF))
    types: set = field(default_factory=lambda: set(OTHER_TYPES))
    records: dict = field(default_factory=dict)
    faults: dict = field(default_factory=dict)  # what went wrong -> the API's code

    def record_of(self, c_type):
        return next((r for r in self.records.values() if r.c_type == c_type), None)

    def function(self, name):
        return next((f for f in self.functions if f.name == name), None)

    def layout_of(self, function):
        """The function whose wire this one uses."""
        return self.function(function.sends) if function.sends else function

    def max_c(self, limit):
        return f"PL_{self.prefix.upper()}_LIMIT_{limit}" if limit in self.limits else limit


def layout_text(spec, function):
    """The layout in one normal form: what the peers must agree on."""
    def one(field_):
        record = spec.records.get(field_.kind) if field_.type in ("record", "records") else None
        inner = "" if not record else "".join(f" {m.type}{m.bytes or ''}({m.kind}) {m.path}" for m in record.members)
        return f"{field_.type}({field_.kind}{inner}) {field_.name}"

    def text(fields):
        return ",".join(one(f) for f in fields)
    if function.sends:
        return f"= {function.sends}"
    if not function.has_wire:
        return "-"
    reply = "" if function.reply is None else f" -> ({text(function.reply)})"
    return f"({text(function.wire)}){reply}"


def fnv64(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return value


def api_hash(spec):
    objects = " ".join(o.name for o in spec.objects.values())
    lines = [f"{spec.api} {spec.version} {objects}"]
    for function in sorted(spec.functions, key=lambda f: f.id):
        lines.append(f"{function.id} {function.name} {layout_text(spec, function)}")
    return fnv64("\n".join(lines))
