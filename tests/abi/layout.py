# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Compares every number and layout of abi/ with libxen-dev's headers.

Both sides declare the same names, so no translation unit can include both. The facts to compare are listed from our
headers, all of them. One translation unit per variant of the reference headers puts the values of those facts into a
section of its object file; another includes our headers and asserts each value.
"""

import os
import re
import struct

from cheaders import IDENTIFIER, TOKEN, Headers, run_compiler

COMMON = ["event_channel.h", "grant_table.h", "memory.h", "physdev.h", "vcpu.h", "sched.h", "callback.h", "version.h",
          "features.h", "elfnote.h", "nmi.h", "platform.h", "io/ring.h", "io/console.h", "io/xs_wire.h", "io/xenbus.h",
          "io/protocols.h", "io/blkif.h", "io/netif.h", "arch-x86/cpuid.h"]
NEWEST = ["xen.h", *COMMON, "domctl.h", "sysctl.h", "trace.h", "errno.h", "arch-x86/xen-mca.h"]
# What each variant of the reference headers can show: the tools' view, names that old interfaces had, and error
# numbers that stay inside a hypervisor.
VARIANTS = (
    ("newest", "#define __XEN_TOOLS__ 1\n", NEWEST),
    ("old", "#define __XEN_INTERFACE_VERSION__ 0x00030200\n", ["xen.h", *COMMON]),
    ("inside", "#define __XEN__ 1\n", ["errno.h"]),
)
BASICS = "#include <stdint.h>\n#include <stddef.h>\n"

# Names that are ours alone.
OWN_MACROS = re.compile(r"^(PARAVANE_ABI_\w+|XEN_ABI_\w+_|XEN_RING_\w+_|COMPAT_\w+|compat_\w+|xen_[rw]?mb)$")
OWN_TYPES = re.compile(r"^((struct |union )?compat_\w+|(struct |union )?blkif_x86_(32|64)_\w+|u?int64_aligned_t|"
                       r"__guest_handle_(64_)?(const_)?(u?long|xen_add_to_physmap_range_t)|xenpf_settime_t)$")
# Declared in another way by the reference: the macro is part of how headers are written, not of the contract.
HOW_HEADERS_ARE_WRITTEN = {"XEN_FLEX_ARRAY_DIM", "__XEN_INTERFACE_VERSION__", "xen_mk_uint", "xen_mk_ulong",
                           "xen_mk_ullong", "__DEFINE_XEN_GUEST_HANDLE", "DEFINE_XEN_GUEST_HANDLE",
                           "__XEN_GUEST_HANDLE", "XEN_GUEST_HANDLE", "XEN_GUEST_HANDLE_64", "XEN_GUEST_HANDLE_PARAM",
                           "DEFINE_RING_TYPES", "uint64_aligned_t", "int64_aligned_t", "blkif_vdev_t",
                           "blkif_sector_t"}

# Macros with arguments, and arguments to compare them with. The rest of them are in behaviour.c.
SAMPLES = {
    "XENMEMF_address_bits": ["0", "32"], "XENMEMF_get_address_bits": ["0x12345"], "XENMEMF_node": ["0", "3"],
    "XENMEMF_get_node": ["0x400", "0x100"], "XENMEMF_exact_node": ["2"],
    "XENMEM_resource_ioreq_server_frame_ioreq": ["0", "4"], "XEN_DOMCTL_GRANT_version": ["0x12"],
    "xen_pfn_to_cr3": ["0x12345", "0xfffff"], "xen_cr3_to_pfn": ["0x12345001", "0xfffff000"],
    "xen_vcpu_physid_to_x86_apicid": ["0x1234567812345678ULL"],
    "xen_vcpu_physid_to_x86_acpiid": ["0x1234567812345678ULL"], "XEN_CPUID_LEAF": ["0", "3"],
    "MASK_XENSTORE_IDX": ["0", "1023", "1024", "0xffffffff"],
    "MASK_XENCONS_IDX": ["1023, ((struct xencons_interface *)0)->in", "4097, ((struct xencons_interface *)0)->out"],
    "__CONST_RING_SIZE": ["blkif, 4096", "netif_tx, 4096", "netif_rx, 16384"],
}
SAMPLES |= {
    "TRC_HD_TO_EVENT": ["0xf020100d"], "TRC_HD_EXTRA": ["0xf020100d", "0x3020100d"],
    "TRC_HD_INCLUDES_CYCLE_COUNT": ["0xf020100dUL", "0x3020100dUL"],
    "TRC_PV_HYPERCALL_V2_ARG_32": ["0", "5"], "TRC_PV_HYPERCALL_V2_ARG_64": ["0", "4"],
}
COMPAT_SAMPLES = {"compat_pfn_to_cr3": "xen_pfn_to_cr3", "compat_cr3_to_pfn": "xen_cr3_to_pfn"}

# Structures whose 32-bit form differs and that have no explicit one, with the reason.
WITHOUT_EXPLICIT_FORM = (
    r"iret_context",                                      # 64-bit only
    r"\w+_(front|back)_ring",                             # private to each side
    r"xen_domctl", r"xen_sysctl", r"xen_platform_op",     # only some members differ, and those are below
    # of operations that are not implemented:
    r"xen_domctl_cacheflush", r"xen_sysctl_page_offline_op", r"xen_vnuma_topology_info", r"xen_processor_\w+",
    r"xenpf_(add_memtype|read_memtype|efi_runtime_call|microcode_update|resource_op|set_processor_pminfo|symdata)",
)
# The same size in both widths, though members differ: one buffer serves.
SAME_SIZE = ("struct xen_domctl", "struct xen_sysctl", "struct xen_platform_op")

KINDS = ("char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long",
         "unsigned long", "long long", "unsigned long long")
KIND = "_Generic((%s), " + ", ".join(f"{kind}: {index}" for index, kind in enumerate(KINDS, 1)) + ", default: 0)"


class Tally:
    """Counts what was compared; remembers what was wrong."""

    def __init__(self):
        self.passed, self.failures = 0, []

    def judge(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failures.append(what)


def record_facts(name, fields, kinds=True):
    """(what, expression) of a type: its size, and place, size and kind of number of each field."""
    facts = [(f"size of {name}", f"sizeof({name})")]
    for field in fields:
        access = f"(({name} *)0)->{field.path}"
        if field.plain:
            facts.append((f"offset of {name}.{field.path}", f"__builtin_offsetof({name}, {field.path})"))
        if field.plain and field.sized:
            facts.append((f"size of {name}.{field.path}", f"sizeof({access})"))
            if kinds:
                facts.append((f"kind of {name}.{field.path}", KIND % access))
    return facts


def values(compiler, headers, facts, directory, label):
    """Evaluates the expressions in a translation unit with those headers; the object file tells the results."""
    body = ",\n".join(f"(unsigned long long)(long long)({expression})" for _, expression in facts)
    source = os.path.join(directory, f"facts_{label}.c")
    with open(source, "w", encoding="utf-8") as output:
        output.write(f'{headers.text}const unsigned long long facts[] __attribute__((section(".facts"))) = {{\n{body}\n}};\n')
    run_compiler([*compiler, "-c", source, "-o", source + ".o"])
    run_compiler(["objcopy", "-O", "binary", "-j", ".facts", source + ".o", source + ".bin"])
    with open(source + ".bin", "rb") as data:
        raw = data.read()
    return struct.unpack(f"<{len(facts)}Q", raw)


def assert_values(compiler, ours, facts, tally, directory, label):
    """facts: (what, our expression, value). Each one is a static assertion in a unit that includes our headers."""
    source = os.path.join(directory, f"assert_{label}.c")
    with open(source, "w", encoding="utf-8") as output:
        output.write(ours.text)
        for what, expression, value in facts:
            output.write(f'_Static_assert((unsigned long long)(long long)({expression}) == {value:#x}ULL, "{what}");\n')
    wrong = failed_assertions([*compiler, "-fsyntax-only", "-fmax-errors=0", source])
    for what, _, _ in facts:
        tally.judge(what not in wrong, f"{label}: {what}")


def failed_assertions(command):
    try:
        run_compiler(command)
    except RuntimeError as error:
        text = str(error)
        wrong = set(re.findall(r'static assertion failed: "(.*)"', text))
        other = [line for line in text.splitlines() if " error: " in line and "static assertion failed" not in line]
        if other or not wrong:
            raise
        return wrong
    return set()


class Comparison:
    """Our headers against the reference headers, compiled for one width."""

    def __init__(self, width, include_ours, include_reference, our_headers, directory):
        self.width, self.directory = width, directory
        base = ["gcc", f"-m{width}", "-std=gnu11", "-ffreestanding"]
        self.our_compiler = [*base, "-I", include_ours]
        self.compiler = [*base, "-isystem", include_reference]
        self.ours = Headers(self.our_compiler, our_headers, BASICS)
        self.variants = [(name, Headers(self.compiler, ["xen/" + one for one in headers], prefix + BASICS))
                         for name, prefix, headers in VARIANTS]
        self.declared = declared_macros(include_ours, our_headers)

    def run(self, tally):
        facts = {name: [] for name, _ in self.variants}
        self._collect_types(facts, tally)
        self._collect_macros(facts, tally)
        for name, headers in self.variants:
            chosen = facts[name]
            results = values(self.compiler, headers, [(w, theirs) for w, _, theirs in chosen], self.directory,
                             f"{name}_{self.width}")
            asserted = [(what, mine, value) for (what, mine, _), value in zip(chosen, results)]
            assert_values(self.our_compiler, self.ours, asserted, tally, self.directory, f"{name}_{self.width}")

    def _collect_types(self, facts, tally):
        names = [*self.ours.records, *(name for name in self.ours.typedefs if name not in self.ours.records)]
        basic = set(Headers(self.compiler, [], BASICS).typedefs)
        for name in names:
            if OWN_TYPES.match(name) or name in basic:
                continue
            where = self._find(name, lambda headers, n: n in headers.records or n in headers.typedefs)
            if where is None and name in HOW_HEADERS_ARE_WRITTEN:
                continue
            tally.judge(where is not None, f"{self.width}: the reference has no type {name}")
            if where is not None:
                self._collect_fields(name, where, facts, tally)
        for name in self.ours.enumerators:
            where = self._find(name, lambda headers, n: n in headers.enumerators)
            tally.judge(where is not None, f"{self.width}: the reference has no enumerator {name}")
            if where is not None:
                facts[where].append((f"value of {name}", name, name))

    def _collect_fields(self, name, where, facts, tally):
        theirs = {field.path for field in dict(self.variants)[where].records.get(name, [])}
        fields = self.ours.records.get(name, [])
        for field in fields:
            tally.judge(field.path in theirs, f"{self.width}: in the reference {name} has no field {field.path}")
        for what, expression in record_facts(name, [field for field in fields if field.path in theirs]):
            facts[where].append((what, expression, expression))

    def _collect_macros(self, facts, tally):
        names = sorted(name for name in self.ours.macros if name in self.declared and not OWN_MACROS.match(name)
                       and name not in HOW_HEADERS_ARE_WRITTEN)
        behaviour = words_of(os.path.join(os.path.dirname(__file__), "behaviour.c"))
        simple = [name for name in names if not self.ours.macros[name]]
        mine = self.ours.expand(simple)
        theirs = {label: headers.expand([n for n in simple if n in headers.macros]) for label, headers in self.variants}
        for name in names:
            where = self._find(name, lambda headers, n: n in headers.macros or n in headers.enumerators)
            if where is None and name.startswith("XEN_E"):
                where = self._find(name, lambda headers, n: n in headers.enumerators)
            tally.judge(where is not None, f"{self.width}: the reference has no macro {name}")
            if where is None:
                continue
            if self.ours.macros[name]:
                tally.judge(name in SAMPLES or name in behaviour, f"{self.width}: nothing checks the macro {name}")
                for sample in SAMPLES.get(name, []):
                    facts[where].append((f"{name}({sample})", f"{name}({sample})", f"{name}({sample})"))
            elif is_number(mine[name], self.ours):
                facts[where].append((f"value of {name}", name, name))
            else:
                expected = theirs[where].get(name)
                tally.judge(mine[name] == expected,
                            f"{self.width}: {name} stands for [{mine[name]}], in the reference for [{expected}]")

    def _find(self, name, has):
        return next((label for label, headers in self.variants if has(headers, name)), None)


def declared_macros(root, headers):
    names = set()
    for header in headers:
        with open(os.path.join(root, header), encoding="utf-8") as text:
            names |= set(re.findall(r"^\s*#\s*define\s+(\w+)", text.read(), re.M))
    return names


def words_of(path):
    with open(path, encoding="utf-8") as text:
        return set(re.findall(r"\w+", text.read()))


def is_number(expansion, headers):
    """Whether an expansion is a number: literals, operators, casts and sizeof of types, enumerators."""
    types = {"unsigned", "int", "long", "sizeof", "char", *headers.typedefs}
    tokens = TOKEN.findall(expansion)
    if not tokens or any(token.startswith('"') for token in tokens):
        return False
    if len(tokens) == 1 and tokens[0] in types:
        return False
    if tokens[:4] == ["(", "(", "unsigned", "long"] and tokens[4:5] == ["*"]:
        return False
    words = [token for token in tokens if IDENTIFIER.match(token)]
    return all(word in types or word in headers.enumerators for word in words)


def reference_name(name):
    """The reference's types that one of our explicit layouts stands for, and their width; None for other types."""
    match = re.match(r"^(struct|union) (compat|blkif_x86_32|blkif_x86_64)_(\w+)$", name)
    if not match or re.search(r"_(front|back)_ring$", name):
        return None
    keyword, family, rest = match.groups()
    if family == "compat":
        return 32, [f"{keyword} {rest}", f"{keyword} xen_{rest}"]
    return int(family[-2:]), [f"{keyword} blkif_{rest}"]


def compare_explicit(comparisons, tally, directory):
    """Our explicit layouts of one width, in both compilations, against the reference compiled for that width."""
    by_width = {comparison.width: comparison for comparison in comparisons}
    ours = comparisons[0].ours
    wanted = {32: [], 64: []}
    for name, fields in ours.records.items():
        found = reference_name(name)
        if not found:
            continue
        width, candidates = found
        headers = dict(by_width[width].variants)["newest"]
        target = next((candidate for candidate in candidates if candidate in headers.records), None)
        tally.judge(target is not None, f"the reference has nothing that {name} stands for")
        if target is None:
            continue
        tally.judge({field.path for field in fields} == {field.path for field in headers.records[target]}
                    or target == "struct cpu_user_regs", f"{name} has other fields than {target}")
        for (what, mine), (_, theirs) in zip(record_facts(name, fields, False), record_facts(target, fields, False)):
            wanted[width].append((what, mine, theirs))
    for macro in sorted(name for name in ours.macros if name.startswith("COMPAT_")):
        wanted[32].append((f"value of {macro}", macro, macro[len("COMPAT_"):]))
    for mine, theirs in COMPAT_SAMPLES.items():
        for sample in SAMPLES[theirs]:
            wanted[32].append((f"{mine}({sample})", f"{mine}({sample})", f"{theirs}({sample})"))
    for width, facts in wanted.items():
        reference = by_width[width]
        results = values(reference.compiler, dict(reference.variants)["newest"], [(w, t) for w, _, t in facts],
                         directory, f"explicit_{width}")
        asserted = [(what, mine, value) for (what, mine, _), value in zip(facts, results)]
        for comparison in comparisons:
            assert_values(comparison.our_compiler, comparison.ours, asserted, tally, directory,
                          f"explicit_{width}_in_{comparison.width}")


def differing_types(comparisons, tally, directory):
    """Structures whose layout depends on the width."""
    layouts = []
    for comparison in comparisons:
        headers = comparison.ours
        facts = [(name, fact) for name, fields in headers.records.items() if not OWN_TYPES.match(name)
                 and name.startswith(("struct ", "union ")) for fact in record_facts(name, fields, False)]
        results = values(comparison.our_compiler, headers, [fact for _, fact in facts], directory,
                         f"own_{comparison.width}")
        layout = {}
        for (name, _), value in zip(facts, results):
            layout.setdefault(name, []).append(value)
        layouts.append(layout)
    for name in SAME_SIZE:
        tally.judge(layouts[0][name][0] == layouts[1][name][0], f"the size of {name} differs between widths")
    return sorted(name for name in layouts[0] if layouts[0][name] != layouts[1].get(name))
