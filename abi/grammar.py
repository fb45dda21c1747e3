#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the fuzzer's grammar of hypercalls.tbl and structs.tbl.

Usage: grammar.py HYPERCALLS STRUCTS OUTPUT. One entry for every call and sub-operation and, within it, what each
register holds; one table of fields for every structure. A structure of hypercalls.tbl that structs.tbl does not describe
is random bytes.
"""
import sys

import generate

KINDS = ("none", "sub", "any", "small", "zero", "count", "entries", "domid", "foreign", "vaddr", "mapped", "pte", "uvmf",
         "mfn", "table", "cr3", "gfn", "gref", "gref_or_mfn", "port", "out_port", "handle", "out_handle", "vcpu", "offset",
         "time", "selector", "code", "callback", "vector", "descriptor", "slot", "maddr", "frames", "buffer", "virq", "pirq",
         "priority", "order", "period", "reason", "version", "watchdog", "interface", "number", "null", "word", "structure", "list",
         "high")
MAXIMUM = 5
HEADERS = ("xen", "arch_x86", "memory", "grant_table", "event_channel", "vcpu", "sched", "physdev", "callback", "version",
           "nmi", "domctl", "sysctl", "platform")


def read_structs(path):
    structs, arguments, rare = {}, {}, set()
    for where, line in generate.logical_lines(path):
        words = line.split()
        if words[0] == "struct":
            fields = structs.setdefault(words[1], {"type": " ".join(words[2:]) or f"struct {words[1]}", "fields": []})["fields"]
        elif words[0] == "arg":
            generate.expect(words[2] in KINDS, where, f"unknown kind {words[2]}")
            arguments[words[1]] = words[2]
        elif words[0] == "rare":
            rare.add(words[1])
        else:
            generate.expect(len(words) == 2 and words[1] in KINDS, where, "FIELD KIND")
            fields.append(words)
    return structs, arguments, rare


class Grammar:
    def __init__(self, calls, structs, arguments, rare):
        self.calls, self.structs, self.arguments, self.rare = calls, structs, arguments, rare
        self.index = {name: number for number, name in enumerate(structs, 1)}

    def pointer(self, kind):
        """What a pointer argument of the table is for the fuzzer."""
        match = generate.POINTER.match(kind)
        if not match:
            return ("null", 0)
        way, name = match.groups()
        if name == "uint":
            return ("word", 0)
        return ("list" if way in ("list", "ulist") else "structure", self.index.get(name, 0))

    def argument(self, arg, sub, first):
        if sub is not None and first and arg["name"] == "cmd":
            return ("sub", 0)
        if generate.POINTER.match(arg["type"]):
            own = sub["argument"] if sub is not None and arg["type"].endswith(":void") else arg["type"]
            return self.pointer(own)
        return (self.arguments.get(arg["name"], "any"), 0)

    def registers(self, call, sub, width):
        args = (call["args32"] or call["args"]) if width == 32 else call["args"]
        out = []
        for number, arg in enumerate(args):
            out.append(self.argument(arg, sub, number == 0))
            if arg["type"] == "u64" and width == 32:
                out.append(("high", 0))
        return out

    def entry(self, call, sub, width):
        registers = self.registers(call, sub, width)
        assert len(registers) <= MAXIMUM, call["name"]
        name = call["name"] + (f".{sub['name']}" if sub else "")
        rare = name in self.rare or call["name"] in self.rare
        control = "dom0" in (call["caller"], sub["caller"] if sub else "any")
        pairs = "".join(f", {{KIND_{kind}, {struct}}}" for kind, struct in registers)[2:] or "{0, 0}"
        return (f"    {{{call['number']}, {int(rare)}, {int(control)}, {len(registers)}, {sub['number'] if sub else 0}, {{{pairs}}}, "
                f"\"{name}\"}},\n")

    def entries(self, width):
        for call in self.calls:
            if width == 32 and call["widths"] == "64":
                continue
            for sub in call["subs"] or [None]:
                yield self.entry(call, sub, width)

    def fields(self):
        for name, struct in self.structs.items():
            rows = "".join(f"    {{offsetof({struct['type']}, {field}), sizeof((({struct['type']} *)0)->{field}), "
                           f"KIND_{kind}}},\n" for field, kind in struct["fields"])
            yield f"static const struct grammar_field fields_{name}[] = {{\n{rows or '    {0, 0, 0},' + chr(10)}}};\n"

    def text(self):
        licence = "".join(f" * {line}\n" for line in generate.LICENCE)
        out = [f"/*\n{licence} *\n * The hypercalls' grammar. Generated from abi/hypercalls.tbl and abi/structs.tbl.\n */\n"
               "#ifndef GEN_HYPERCALL_GRAMMAR_H\n#define GEN_HYPERCALL_GRAMMAR_H\n\n#include <stddef.h>\n#include <stdint.h>\n",
               "".join(f"#include <abi/{header}.h>\n" for header in HEADERS), "\n#ifdef __x86_64__\n#define REGISTER_IP rip\n#define REGISTER_SP rsp\n#else\n"
               "#define REGISTER_IP eip\n#define REGISTER_SP esp\n#endif\n\nenum grammar_kind {\n",
               "".join(f"    KIND_{kind},\n" for kind in KINDS), "};\n\n",
               "struct grammar_field {\n    uint16_t offset;\n    uint8_t size, kind;\n};\n\n"
               "struct grammar_struct {\n    const struct grammar_field *fields;\n    uint16_t size, count;\n};\n\n"
               "struct grammar_call {\n    uint8_t call, rare, control, args;\n    uint16_t sub;\n"
               f"    struct {{\n        uint8_t kind, structure;\n    }} arg[{MAXIMUM}];\n    const char *name;\n}};\n\n",
               *self.fields(),
               "\n/* The first is what has no description. */\nstatic const struct grammar_struct grammar_structs[] = {\n"
               "    {NULL, 64, 0},\n"]
        for name, struct in self.structs.items():
            out.append(f"    {{fields_{name}, sizeof({struct['type']}), {len(struct['fields'])}}},\n")
        out.append("};\n\nstatic const struct grammar_call grammar_calls[] = {\n#ifdef __x86_64__\n")
        out += [*self.entries(64), "#else\n", *self.entries(32), "#endif\n};\n\n#endif\n"]
        return "".join(out)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: grammar.py HYPERCALLS STRUCTS OUTPUT")
    try:
        text = Grammar(generate.parse(sys.argv[1]), *read_structs(sys.argv[2])).text()
    except (generate.TableError, ValueError) as error:
        sys.exit(f"grammar.py: {error}")
    with open(sys.argv[3], "w", encoding="utf-8") as output:
        output.write(text)


if __name__ == "__main__":
    main()
