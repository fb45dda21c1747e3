#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Proves that abi/ says what the reference headers say.

Usage: check.py PROJECT BUILD [REFERENCE]. Compares every constant, size and offset in both widths, explicit 32-bit
layouts, macros that do something; compiles each header alone in every dialect; holds the table of hypercalls against
the headers. Ends with a line "N passed, N failed".
"""

import glob
import json
import os
import re
import sys

import layout
import stubs
from cheaders import run_compiler

DIALECTS = [("gcc", "c", "c99"), ("gcc", "c", "c11"), ("gcc", "c", "gnu11"), ("clang", "c", "c11"),
            ("clang", "c++", "c++11"), ("clang", "c++", "gnu++17")]
FOR_ASSEMBLY = ("xen.h", "arch_x86.h", "errno.h", "elfnote.h", "features.h")

# How a sub-operation of the table is called in the headers.
PREFIXES = {"platform_op": "XENPF_", "memory_op": "XENMEM_", "xen_version": "XENVER_", "console_io": "CONSOLEIO_",
            "grant_table_op": "GNTTABOP_", "vcpu_op": "VCPUOP_", "nmi_op": "XENNMI_", "sched_op": "SCHEDOP_",
            "callback_op": "CALLBACKOP_", "event_channel_op": "EVTCHNOP_", "physdev_op": "PHYSDEVOP_",
            "sysctl": "XEN_SYSCTL_", "domctl": "XEN_DOMCTL_", "mmuext_op": "MMUEXT_"}
MMU_KINDS = {"normal": "MMU_NORMAL_PT_UPDATE", "machphys": "MMU_MACHPHYS_UPDATE",
             "preserve_ad": "MMU_PT_UPDATE_PRESERVE_AD", "no_translate": "MMU_PT_UPDATE_NO_TRANSLATE"}


def check_alone(project, headers, tally):
    """A header that needs another one before it compiles today and breaks a user tomorrow."""
    for header in headers:
        path = os.path.join(project, header)
        for width in ("-m32", "-m64"):
            for compiler, language, dialect in DIALECTS:
                command = [compiler, width, f"-std={dialect}", "-ffreestanding", "-Wall", "-Wextra", "-Werror",
                           "-fsyntax-only", "-I", project, "-x", language, "-"]
                attempt(tally, f"{header} alone, {dialect} {width}", command, f"#include <{header}>\n#include <{header}>\n")
            if os.path.basename(path) in FOR_ASSEMBLY:
                attempt(tally, f"{header} in assembly, {width}",
                        ["gcc", width, "-c", "-I", project, "-x", "assembler-with-cpp", "-o", "/dev/null", "-"],
                        f"#include <{header}>\n")


def attempt(tally, what, command, source):
    try:
        run_compiler(command, source)
        tally.judge(True, what)
    except RuntimeError as error:
        tally.judge(False, f"{what}: {error}")


def check_behaviour(project, build, reference, tally):
    """Runs the same scenario over both sides' macros."""
    source = os.path.join(project, "tests/abi/behaviour.c")
    outputs = []
    for name, options in (("ours", ["-I", project]), ("reference", ["-DREFERENCE", "-isystem", reference])):
        program = os.path.join(build, "behaviour_" + name)
        run_compiler(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", *options, source, "-o", program])
        outputs.append(run_compiler([program]).splitlines())
    tally.judge(len(outputs[0]) == len(outputs[1]) > 100, "the two programs print as many lines")
    for number, (mine, theirs) in enumerate(zip(*outputs), 1):
        tally.judge(mine == theirs, f"behaviour line {number}: [{mine}], the reference says [{theirs}]")


def read_table(build):
    with open(os.path.join(build, "gen/hypercalls.json"), encoding="utf-8") as text:
        return json.load(text)["calls"]


def sub_constant(call, sub, macros):
    if call == "mmu_update":
        return MMU_KINDS.get(sub)
    plain = PREFIXES.get(call, "?") + sub
    upper = PREFIXES.get(call, "?") + sub.upper()
    return plain if plain in macros else upper


def check_table(project, build, comparison, tally):
    """The table's numbers are those of the headers, no operation of the headers is missing, arguments are types."""
    calls = read_table(build)
    ours, facts, known = comparison.ours, [], set()
    for call in calls:
        facts.append((f"number of {call['name']}", "__HYPERVISOR_" + call["name"], call["number"]))
        for sub in call["subs"]:
            name = sub_constant(call["name"], sub["name"], ours.macros)
            known.add(name)
            tally.judge(name in ours.macros, f"no constant for sub-operation {sub['name']} of {call['name']}")
            if name in ours.macros:
                facts.append((f"number of {call['name']}.{sub['name']}", name, sub["number"]))
        for kind in [arg["type"] for arg in call["args"] + call["args32"]] + [sub["argument"] for sub in call["subs"]]:
            target = kind.partition(":")[2]
            tally.judge(not target or target in ("void", "char", "uint", *ours.typedefs)
                        or f"struct {target}" in ours.records, f"{call['name']}: unknown type {target}")
    layout.assert_values(comparison.our_compiler, ours, facts, tally, build_directory(build), "table")
    numbers = {"__HYPERVISOR_" + call["name"] for call in calls}
    expected = [name for name in ours.macros if re.match(r"^__HYPERVISOR_[a-z]", name) and "_arch_" not in name]
    for name in expected:
        tally.judge(name in numbers, f"the table lacks {name}")
    complete = r"^(EVTCHNOP|SCHEDOP|VCPUOP|GNTTABOP|XENVER|CALLBACKOP|XENNMI|MMUEXT)_|^PHYSDEVOP_[a-z]\w+[a-z]$|^XENPF_[a-z]"
    for name in ours.macros:
        alias = ours.expand([name])[name].isdigit() is False if re.match(complete, name) else True
        if re.match(complete, name) and not alias and not re.search(r"error_msgs", name):
            tally.judge(name in known or name == "PHYSDEVOP_pirq_eoi_gmfn" or name == "XENPF_settime",
                        f"the table lacks {name}")


def check_compat_is_complete(comparisons, build, tally):
    """A structure that differs between widths has an explicit 32-bit form, or a reason in layout.py why not."""
    records = comparisons[0].ours.records
    for name in layout.differing_types(comparisons, tally, build_directory(build)):
        keyword, bare = name.split()
        short = bare[4:] if bare.startswith("xen_") else bare
        forms = {f"{keyword} compat_{bare}", f"{keyword} compat_{short}", f"{keyword} blkif_x86_32_{bare[6:]}"}
        excused = any(re.fullmatch(pattern, bare) for pattern in layout.WITHOUT_EXPLICIT_FORM)
        tally.judge(bool(forms & set(records)) or excused, f"{name} differs between widths and has no explicit form")


def check_generated(project, build, tally):
    """What is generated compiles, in C and C++, at every way in."""
    generated = ["-I", project, "-I", os.path.join(build, "gen"), "-ffreestanding", "-Wall", "-Wextra", "-Werror"]
    for header in ("hypercall_stubs.h", "hypercall_names.h", "hypercall_prototypes.h"):
        for options in (["gcc", "-xc", "-m32"], ["gcc", "-xc", "-m64"], ["gcc", "-xc", "-m64", "-DHYPERCALL_VIA_PAGE"],
                        ["gcc", "-xc", "-m32", "-DHYPERCALL_VIA_PAGE"]):
            attempt(tally, f"{header}, {' '.join(options)}", [*options, *generated, "-fsyntax-only", "-"],
                    f"#include <{header}>\n#include <{header}>\n")
    attempt(tally, "hypercall_table.S", ["gcc", "-c", os.path.join(build, "gen/hypercall_table.S"), "-o", "/dev/null"], None)


def check_document(project, build, tally):
    with open(os.path.join(build, "gen/hypercalls.md"), encoding="utf-8") as text:
        generated = text.read()
    with open(os.path.join(project, "docs/hypercalls.md"), encoding="utf-8") as text:
        tally.judge(text.read() == generated, "docs/hypercalls.md is out of date: copy build/gen/hypercalls.md there")


def build_directory(build):
    path = os.path.join(build, "tests/abi")
    os.makedirs(path, exist_ok=True)
    return path


def main():
    project, build = sys.argv[1:3]
    reference = sys.argv[3] if len(sys.argv) > 3 else "/usr/include"
    headers = sorted(os.path.relpath(path, project) for path in
                     glob.glob(os.path.join(project, "abi/*.h")) + glob.glob(os.path.join(project, "abi/io/*.h")))
    tally = layout.Tally()
    print("abi: every constant, size and offset against libxen-dev, in 32-bit and 64-bit; dialects; rings; the table; stubs")
    comparisons = [layout.Comparison(width, project, reference, headers, build_directory(build)) for width in (64, 32)]
    for comparison in comparisons:
        comparison.run(tally)
    layout.compare_explicit(comparisons, tally, build_directory(build))
    check_compat_is_complete(comparisons, build, tally)
    check_behaviour(project, build_directory(build), reference, tally)
    check_table(project, build, comparisons[0], tally)
    check_generated(project, build, tally)
    stubs.check_stubs(project, build, build_directory(build), read_table(build), tally)
    check_document(project, build, tally)
    check_alone(project, headers, tally)
    for failure in tally.failures:
        print("FAIL", failure)
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        print(f"{error}\n0 passed, 1 failed")
        sys.exit(1)
