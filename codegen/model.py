"""What a spec says, after it was parsed and checked.  No text of C and no text of a spec is made here."""

from dataclasses import dataclass, field

CLASSES = ("local", "post", "mint", "ask", "info", "reverse")
REPLAYS = ("none", "record")
CHARGES = ("object", "memory", "host", "inflight")
HOWS = ("const", "ask", "refs", "local", "handle", "handles")

# C types of parameters that travel as one word, and how
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


@dataclass
class Limit:
    name: str
    value: int
    line: int


@dataclass
class Field:
    """One field of a record."""
    type: str  # u64 u32 i32 handle mint ids u64s u32s bytes string bulk u64x3 properties
    name: str
    line: int
    kind: str = ""  # object kind, or what a property list is about
    max: str = ""  # name of a limit, or a number
    optional: bool = False

    @property
    def is_word(self):
        return self.type in ("u64", "u32", "i32", "handle", "mint")


@dataclass
class Param:
    """One parameter of a C function."""
    name: str
    c_type: str  # without the name; "" for pointers to functions
    declaration: str  # as it stands in a prototype
    line: int
    role: str = ""  # "", handle, in, mint, retain, release
    kind: str = ""  # object kind
    count: str = ""  # in: a parameter or a number
    bytes: str = ""
    max: str = ""
    optional: bool = False
    element_kind: str = ""  # in(...) handle(kind)

    @property
    def is_pointer(self):
        return "*" in self.declaration


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
    def is_auto_client(self):
        return not self.is_message and not self.is_absent and not self.manual_client

    @property
    def is_auto_server(self):
        return self.is_called and not self.manual_server

    def given_bits(self):
        """Pointers whose being NULL travels in the field `given`: name -> bit."""
        pointers = [p.name for p in self.params if p.role == "in"]
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
    version: int = 0
    objects: dict = field(default_factory=dict)
    limits: dict = field(default_factory=dict)
    functions: list = field(default_factory=list)
    infos: dict = field(default_factory=dict)

    def function(self, name):
        return next((f for f in self.functions if f.name == name), None)

    def layout_of(self, function):
        """The function whose wire this one uses."""
        return self.function(function.sends) if function.sends else function

    def max_c(self, limit):
        return f"PL_CL_LIMIT_{limit}" if limit in self.limits else limit


def layout_text(spec, function):
    """The layout in one normal form: what the peers must agree on."""
    def text(fields):
        return ",".join(f"{f.type}({f.kind}) {f.name}" for f in fields)
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
