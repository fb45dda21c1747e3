#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Turns hypercalls.tbl into everything that must agree with it.

Usage: generate.py TABLE DIRECTORY. Writes into DIRECTORY: hypercall_table.S and hypercall_prototypes.h for the
hypervisor, hypercall_stubs.h for guests, hypercall_names.h for traces, hypercall_expectations.h for tests,
hypercalls.json for fuzzers, hypercalls.md for readers. A mistake in the table is reported with its line and nothing is
written.
"""

import json
import os
import re
import sys
import textwrap

SLOTS = 64
STATUSES = ("implemented", "enosys", "eopnotsupp")
SUB_STATUSES = ("implemented", "accepted", "refused", "enosys")
CALLERS = ("any", "dom0")
SCALARS = {"int": "int", "uint": "unsigned int", "ulong": "unsigned long", "u64": "uint64_t", "domid": "domid_t"}
RETURN = re.compile(r"^(sub)?ret(32|64)?$")
POINTER = re.compile(r"^(in|out|inout|list|ulist):(\w+)$")
# REUSE-IgnoreStart
LICENCE = ("SPDX-FileCopyrightText: 2026 The Paravane developers", "SPDX-License-Identifier: BSD-2-Clause")
# REUSE-IgnoreEnd


class TableError(Exception):
    pass


def expect(condition, where, message):
    if not condition:
        raise TableError(f"{where}: {message}")


def logical_lines(path):
    """Yields (place, text) with comments dropped and continued lines joined."""
    pending, start = "", 0
    with open(path, encoding="utf-8") as table:
        for number, raw in enumerate(table, 1):
            line = raw.rstrip()
            if not pending:
                start = number
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
            pending += (" " if pending else "") + line.strip().rstrip("\\").strip()
            if not line.endswith("\\"):
                yield f"{path}:{start}", pending
                pending = ""
    expect(not pending, path, "last line continues nowhere")


def parse_call(where, rest):
    fields = rest.split()
    expect(len(fields) in (5, 6), where, "call NUMBER NAME STATUS CALLER WIDTHS [own32]")
    number, name, status, caller, widths = fields[:5]
    expect(number.isdigit() and int(number) < SLOTS, where, "bad number")
    expect(status in STATUSES and caller in CALLERS and widths in ("both", "64"), where, "unknown word")
    expect(fields[5:] in ([], ["own32"]), where, "unknown word at the end")
    return {"number": int(number), "name": name, "status": status, "caller": caller, "widths": widths,
            "own32": len(fields) == 6, "text": "", "args": [], "args32": [], "returns": [], "subs": []}


def parse_arg(where, rest):
    name, kind, prose = rest.split(None, 2)
    expect(kind in SCALARS or POINTER.match(kind), where, f"unknown type {kind}")
    return {"name": name, "type": kind, "prose": prose}


def parse_return(where, rest, widths):
    code, prose = rest.split(None, 1)
    expect(re.match(r"^(0|N|none|-E[A-Z0-9]+)$", code), where, f"unknown code {code}")
    return {"code": code, "prose": prose, "widths": widths or "both"}


def parse_sub(where, rest):
    number, name, status, caller, argument, prose = rest.split(None, 5)
    expect(number.isdigit() and status in SUB_STATUSES and caller in CALLERS, where, "unknown word")
    expect(argument in ("none", "null") or POINTER.match(argument), where, f"unknown argument {argument}")
    return {"number": int(number), "name": name, "status": status, "caller": caller, "argument": argument,
            "prose": prose, "returns": []}


def parse(path):
    calls = []
    for where, line in logical_lines(path):
        word, rest = line.split(None, 1)
        if word == "call":
            calls.append(parse_call(where, rest))
            continue
        expect(calls, where, "no call yet")
        call = calls[-1]
        if word == "text":
            call["text"] = rest
        elif word == "arg":
            call["args"].append(parse_arg(where, rest))
        elif word == "arg32":
            call["args32"].append(parse_arg(where, rest))
        elif word == "sub":
            call["subs"].append(parse_sub(where, rest))
        else:
            answer = RETURN.match(word)
            expect(answer, where, f"unknown word {word}")
            expect(call["subs"] or not answer[1], where, "no sub yet")
            owner = call["subs"][-1] if answer[1] else call
            owner["returns"].append(parse_return(where, rest, answer[2]))
    check(path, calls)
    return calls


def check(path, calls):
    for what in ("number", "name"):
        values = [call[what] for call in calls]
        expect(len(set(values)) == len(values), path, f"a {what} occurs twice")
    for call in calls:
        place = f"{path}: {call['name']}"
        subs = [sub["number"] for sub in call["subs"]]
        expect(len(set(subs)) == len(subs), place, "a sub-operation occurs twice")
        expect(call["text"], place, "no text")
        for sub in call["subs"]:
            expect(sub["status"] != "refused" or sub["returns"], place, f"{sub['name']} is refused without an answer")
        expect(call["returns"], place, "no ret line")
        expect(len(registers(call, 64)) <= 5 and len(registers(call, 32)) <= 5, place, "more than five registers")


def registers(call, width):
    """Names of the arguments as they come in registers: in 32-bit a u64 takes two."""
    names = []
    for arg in (call["args32"] or call["args"]) if width == 32 else call["args"]:
        wide = width == 32 and arg["type"] == "u64"
        names += [arg["name"] + "_lo", arg["name"] + "_hi"] if wide else [arg["name"]]
    return names


def handler(call, width):
    if call["status"] != "implemented":
        return "do_" + call["status"]
    if width == 32 and call["widths"] == "64":
        return "do_enosys"
    return f"do_{call['name']}_pv32" if width == 32 and call["own32"] else f"do_{call['name']}"


def banner(text, comment="/*"):
    lines = (*LICENCE, "", *text)
    if comment == "/*":
        return "/* " + "\n".join(" * " + line if line else " *" for line in lines)[3:] + "\n */\n"
    return "\n".join(comment + (" " + line if line else "") for line in lines) + "\n"


def table_source(calls):
    by_number = {call["number"]: call for call in calls}
    out = [banner(["Dispatch of hypercalls by number, for callers of each width, and how many registers each one reads.",
                   "Generated from abi/hypercalls.tbl."]), '.section .rodata, "a", @progbits\n']
    for width in (64, 32):
        name = f"hypercall_table_pv{width}"
        out.append(f".balign 64\n.globl {name}\n.type {name}, @object\n{name}:\n")
        for slot in range(SLOTS):
            out.append(f"    .quad {handler(by_number[slot], width) if slot in by_number else 'do_enosys'}\n")
        out.append(f".size {name}, . - {name}\n\n")
    for width in (64, 32):
        name = f"hypercall_args_pv{width}"
        counts = [str(len(registers(by_number[slot], width)) if slot in by_number else 0) for slot in range(SLOTS)]
        out.append(f".globl {name}\n.type {name}, @object\n{name}:\n    .byte " + ", ".join(counts) + "\n")
        out.append(f".size {name}, . - {name}\n\n")
    out.append('.section .note.GNU-stack, "", @progbits\n')
    return "".join(out)


def prototypes(calls):
    seen = {"do_enosys": [], "do_eopnotsupp": []}
    for call in calls:
        for width in (64, 32):
            seen.setdefault(handler(call, width), registers(call, width))
    out = [banner(["Handlers of hypercalls, as the dispatch tables call them: registers in the order of the ABI, zero-extended",
                   "for 32-bit callers. A handler that ends in _pv32 serves 32-bit callers only. do_enosys and do_eopnotsupp",
                   "answer for what is not implemented. Generated from abi/hypercalls.tbl."]),
           "#ifndef GEN_HYPERCALL_PROTOTYPES_H\n#define GEN_HYPERCALL_PROTOTYPES_H\n\n",
           f"#define HYPERCALL_SLOTS {SLOTS}\n\n",
           "typedef long hypercall_handler_t(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);\n",
           "extern hypercall_handler_t *const hypercall_table_pv64[HYPERCALL_SLOTS];\n",
           "extern hypercall_handler_t *const hypercall_table_pv32[HYPERCALL_SLOTS];\n",
           "extern const unsigned char hypercall_args_pv64[HYPERCALL_SLOTS];\n",
           "extern const unsigned char hypercall_args_pv32[HYPERCALL_SLOTS];\n\n"]
    for name, names in seen.items():
        parameters = ", ".join("unsigned long " + parameter for parameter in names) or "void"
        out.append(f"long {name}({parameters});\n")
    out.append("\n#endif\n")
    return "".join(out)


STUB_HEAD = """#ifndef GEN_HYPERCALL_STUBS_H
#define GEN_HYPERCALL_STUBS_H

#include <abi/xen.h>
#include <abi/sched.h>

#ifdef HYPERCALL_VIA_PAGE
extern char hypercall_page[];
#define HYPERCALL_ENTRY_(nr) ((unsigned long)hypercall_page + (nr) * 32)
#else
#define HYPERCALL_ENTRY_(nr) (nr)
#endif

"""

REGISTERS = {64: ("+D", "+S", "+d", "r10", "r8"), 32: ("+b", "+c", "+d", "+S", "+D")}


def raw_stub(width, count):
    """One function that issues a call with so many registers."""
    parameters = "".join(f", unsigned long a{index}" for index in range(1, count + 1))
    out = [f"static inline long hypercall_raw{count}_(unsigned long nr{parameters})\n{{\n",
           "    unsigned long result = HYPERCALL_ENTRY_(nr);\n"]
    operands = ['"+a"(result)']
    for index, place in enumerate(REGISTERS[width][:count], 1):
        if place.startswith("r"):
            out.append(f'    register unsigned long {place} __asm__("{place}") = a{index};\n')
            operands.append(f'"+r"({place})')
        else:
            operands.append(f'"{place}"(a{index})')
    clobbers = '"rcx", "r11", "memory", "cc"' if width == 64 else '"memory", "cc"'
    out.append(f"\n    __asm__ volatile(HYPERCALL_INSN_ : {', '.join(operands)} : : {clobbers});\n")
    return "".join(out) + "    return (long)result;\n}\n\n"


def c_type(kind):
    match = POINTER.match(kind)
    if not match:
        return SCALARS[kind] + " "
    return "const void *" if match.group(1) in ("in", "list") else "void *"


def stub_body(call, width):
    values = []
    for arg in (call["args32"] or call["args"]) if width == 32 else call["args"]:
        if width == 32 and arg["type"] == "u64":
            values += [f"(unsigned long){arg['name']}", f"(unsigned long)({arg['name']} >> 32)"]
        else:
            values.append(f"(unsigned long){arg['name']}")
    return f"hypercall_raw{len(values)}_({', '.join(['__HYPERVISOR_' + call['name'], *values])})"


def stub(call, width):
    args = (call["args32"] or call["args"]) if width == 32 else call["args"]
    parameters = ", ".join(c_type(arg["type"]) + arg["name"] for arg in args) or "void"
    return f"static inline long HYPERVISOR_{call['name']}({parameters})\n{{\n    return {stub_body(call, width)};\n}}\n\n"


SUSPEND = """/* Stops the domain to be saved; the tools find start_info's machine frame in the third register. */
static inline long HYPERVISOR_suspend(unsigned long start_info_mfn)
{
    struct sched_shutdown shutdown;

    shutdown.reason = SHUTDOWN_suspend;
    return hypercall_raw3_(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (unsigned long)&shutdown, start_info_mfn);
}

"""


def stubs(calls):
    out = [banner(["How a guest calls the hypervisor, in both widths. Issues the instruction itself, or with HYPERCALL_VIA_PAGE",
                   "defined goes through the symbol hypercall_page; then compile 64-bit code with -mno-red-zone. Results are",
                   "negative XEN_E* numbers on failure. Generated from abi/hypercalls.tbl."]), STUB_HEAD]
    for width, condition, call_insn, raw_insn in ((64, "#ifdef __x86_64__", "call *%%rax", "syscall"),
                                                  (32, "#else", "call *%%eax", "int $0x82")):
        out.append(f"{condition}\n\n#ifdef HYPERCALL_VIA_PAGE\n#define HYPERCALL_INSN_ \"{call_insn}\"\n"
                   f"#else\n#define HYPERCALL_INSN_ \"{raw_insn}\"\n#endif\n\n")
        out += [raw_stub(width, count) for count in range(1, 6)]
        for call in calls:
            if call["name"] != "iret" and not (width == 32 and call["widths"] == "64"):
                out.append(stub(call, width))
    out.append("#endif\n\n" + SUSPEND + "#endif\n")
    return "".join(out)


def names(calls):
    out = [banner(["Names of hypercalls and sub-operations, for traces. Generated from abi/hypercalls.tbl."]),
           "#ifndef GEN_HYPERCALL_NAMES_H\n#define GEN_HYPERCALL_NAMES_H\n\n",
           f"static const char *const hypercall_names[{SLOTS}] __attribute__((unused)) = {{\n"]
    out += [f'    [{call["number"]}] = "{call["name"]}",\n' for call in calls]
    out.append("};\n\n/* Registers that each one reads, in the width that takes more. */\n"
               f"static const unsigned char hypercall_registers[{SLOTS}] __attribute__((unused)) = {{\n")
    out += [f'    [{call["number"]}] = {max(len(registers(call, 64)), len(registers(call, 32)))},\n' for call in calls]
    out.append("};\n\nstatic const struct {\n    unsigned short call, sub;\n    const char *name;\n"
               "} hypercall_sub_names[] __attribute__((unused)) = {\n")
    out += [f'    {{{call["number"]}, {sub["number"]}, "{sub["name"]}"}},\n' for call in calls for sub in call["subs"]]
    out.append("};\n\n#endif\n")
    return "".join(out)


EXPECTATIONS_HEAD = """#ifndef GEN_HYPERCALL_EXPECTATIONS_H
#define GEN_HYPERCALL_EXPECTATIONS_H

#include <abi/errno.h>

struct hypercall_expectation {
    unsigned short call, sub; /* sub is HYPERCALL_WHOLE for a call as such */
    char status;              /* 'i' implemented, 'a' accepted and ignored, 'r' refused, 'e' not implemented */
    char pointer;             /* 1: takes a pointer */
    char positive;            /* 1: may return zero or more */
    const char *name;
    short failures[16];       /* documented error codes, negative, up to the first 0 */
};
#define HYPERCALL_WHOLE 0xffff

static const struct hypercall_expectation hypercall_expectations[] __attribute__((unused)) = {
"""


def expectation(call, number, name, status, pointer, returns):
    """The last answer of an operation that is refused is its own, of several the last."""
    behind = dict.fromkeys(item["code"] for item in reversed(returns) if item["code"].startswith("-"))
    codes = list(reversed(behind))
    positive = status in "ia" and any(item["code"] in ("0", "N") for item in returns)
    failures = "".join(f", -XEN_{code[1:]}" for code in codes)[2:] or "0"
    return (f"    {{{call['number']}, {number}, '{status}', {int(pointer)}, {int(positive)}, \"{name}\", "
            f"{{{failures}}}}},\n")


def expectations(calls):
    out = [banner(["What each hypercall and sub-operation may answer, for tests. Generated from abi/hypercalls.tbl."]),
           EXPECTATIONS_HEAD]
    for call in calls:
        whole = "i" if call["status"] == "implemented" else "e"
        out.append(expectation(call, "HYPERCALL_WHOLE", call["name"], whole, False, call["returns"]))
        for sub in call["subs"]:
            returns = call["returns"] + sub["returns"]
            if sub["status"] == "enosys":
                returns = [{"code": "-ENOSYS"}] + [item for item in returns if item["code"] == "-EPERM"]
            out.append(expectation(call, sub["number"], f"{call['name']}.{sub['name']}", sub["status"][0],
                                   sub["argument"] not in ("none", "null"), returns))
    out.append("};\n\n#endif\n")
    return "".join(out)


ARROWS = {"in": "read", "out": "written", "inout": "read and written", "list": "array, read",
          "ulist": "array, read and written"}


def kind_words(kind):
    match = POINTER.match(kind)
    if not match:
        return {"none": "none", "null": "none, null pointer"}.get(kind, kind)
    return f"`{match.group(2)}`, {ARROWS[match.group(1)]}"


def wrapped(prose, indent=""):
    return textwrap.fill(prose, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) + "\n"


def row(*cells):
    """Of a table, where a bar would begin another cell."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def answer_words(item):
    code = {"N": "a number", "none": "does not return"}.get(item["code"], item["code"])
    widths = "" if item["widths"] == "both" else f" ({item['widths']}-bit)"
    return f"**{code}**{widths}: {item['prose']}"


def document_returns(returns):
    return "".join(wrapped(f"- {answer_words(item)}", "  ") for item in returns)


def document_subs(call):
    out = ["| number | sub-operation | who | argument | what it does; further returns |\n|---|---|---|---|---|\n"]
    for sub in call["subs"]:
        prose = sub["prose"] + "".join(" " + answer_words(item) for item in sub["returns"])
        if sub["status"] == "accepted":
            prose += " Accepted; there is nothing to do."
        if sub["status"] == "enosys":
            prose += " Not implemented: **-ENOSYS**."
        out.append(row(sub["number"], sub["name"], sub["caller"], kind_words(sub["argument"]), prose))
    return "".join(out) + "\n"


def document_call(call):
    state = {"implemented": "", "enosys": " Not implemented.", "eopnotsupp": " Not implemented."}[call["status"]]
    who = "any domain" if call["caller"] == "any" else "dom0"
    widths = "" if call["widths"] == "both" else " 64-bit guests only: a 32-bit caller gets -ENOSYS."
    out = [f"## {call['number']} {call['name']}\n\n", wrapped(f"{call['text']} Caller: {who}.{widths}{state}"), "\n"]
    for title, args in (("argument", call["args"]), ("argument in 32-bit", call["args32"])):
        if args:
            out.append(f"| {title} | type | meaning |\n|---|---|---|\n")
            out += [row(arg["name"], kind_words(arg["type"]), arg["prose"]) for arg in args]
            out.append("\n")
    if call["returns"]:
        out.append("Returns:\n\n" + document_returns(call["returns"]) + "\n")
    return "".join(out) + (document_subs(call) if call["subs"] else "")


DOCUMENT_HEAD = """# Hypercalls

Numbers, arguments and return codes of every hypercall. Generated from `abi/hypercalls.tbl`; layouts are in `abi/`.

A 64-bit kernel puts the number into eax, arguments into rdi, rsi, rdx, r10 and r8, and executes SYSCALL, which destroys
rcx and r11. A 32-bit kernel puts the number into eax, arguments into ebx, ecx, edx, esi and edi, and executes
INT 0x82. The result comes in rax or eax. A 64-bit integer takes two registers of a 32-bit kernel, low half first. User
space may not call: 32-bit user space gets a protection fault, 64-bit user space a system call of its own kernel.
Numbers that are not listed answer -ENOSYS.

"""


def document(calls):
    head = "\n".join(f"<!-- {line} -->" for line in LICENCE) + "\n" + DOCUMENT_HEAD
    return head + "".join(document_call(call) for call in calls).rstrip("\n") + "\n"


def grammar(calls):
    return json.dumps({"slots": SLOTS, "calls": calls}, indent=1) + "\n"


OUTPUTS = {"hypercall_table.S": table_source, "hypercall_prototypes.h": prototypes, "hypercall_stubs.h": stubs,
           "hypercall_names.h": names, "hypercall_expectations.h": expectations,
           "hypercalls.md": document, "hypercalls.json": grammar}


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: generate.py TABLE DIRECTORY")
    try:
        calls = parse(sys.argv[1])
        texts = {name: make(calls) for name, make in OUTPUTS.items()}
    except (TableError, ValueError) as error:
        sys.exit(f"generate.py: {error}")
    os.makedirs(sys.argv[2], exist_ok=True)
    for name, text in texts.items():
        with open(os.path.join(sys.argv[2], name), "w", encoding="utf-8") as output:
            output.write(text)


if __name__ == "__main__":
    main()
