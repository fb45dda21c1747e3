# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the guests' hypercall stubs on the host and looks at the registers.

The stubs go through a hypercall page of the test's own, whose slots record what the registers hold. Guards against an
argument in the wrong register, a 64-bit value whose halves are swapped in 32-bit, a number that does not fit its name.
"""

import os

from cheaders import run_compiler

PROGRAM = """
#include <stdio.h>
#include <string.h>
#define HYPERCALL_VIA_PAGE
#include <hypercall_stubs.h>

#ifdef __x86_64__
#define REGISTER "rax"
#else
#define REGISTER "eax"
#endif

unsigned long recorded[6];

__asm__(".text\\n.balign 4096\\n.globl hypercall_page\\nhypercall_page:\\n"
        ".set slot, 0\\n.rept 64\\n.balign 32\\nmov $slot, %eax\\njmp record\\n.set slot, slot + 1\\n.endr\\n"
        "record:\\n"
#ifdef __x86_64__
        "mov %rax, recorded(%rip)\\nmov %rdi, recorded+8(%rip)\\nmov %rsi, recorded+16(%rip)\\n"
        "mov %rdx, recorded+24(%rip)\\nmov %r10, recorded+32(%rip)\\nmov %r8, recorded+40(%rip)\\n"
        "xor %ecx, %ecx\\nxor %r11, %r11\\nmov $-38, %rax\\nret\\n" /* SYSCALL destroys these two */
#else
        "mov %eax, recorded\\nmov %ebx, recorded+4\\nmov %ecx, recorded+8\\n"
        "mov %edx, recorded+12\\nmov %esi, recorded+16\\nmov %edi, recorded+20\\n"
        "mov $-38, %eax\\nret\\n"
#endif
        );

static void report(const char *name, long result, unsigned int count)
{
    printf("%s %ld", name, result);
    for (unsigned int i = 0; i <= count; i++)
        printf(" %lx", recorded[i]);
    printf("\\n");
}

int main(void)
{
@CALLS@    return 0;
}
"""


def argument(index, kind):
    """A value that fits the type and tells its place, as C and as registers."""
    if kind == "u64":
        return f"0x{index}1111111{index}2222222ULL", [f"{index}1111111{index}2222222"]
    if kind == "domid":
        return f"0x7f{index}", [f"7f{index}"]
    value = f"{index}0{index}{index}"
    return (f"(void *)0x{value}" if ":" in kind else f"0x{value}"), [value]


def program_and_expectation(calls, width):
    body, expected = "", []
    for call in calls:
        if call["name"] == "iret" or (width == 32 and call["widths"] == "64"):
            continue
        args = (call["args32"] or call["args"]) if width == 32 else call["args"]
        values, registers = [], []
        for index, arg in enumerate(args, 1):
            value, places = argument(index, arg["type"])
            values.append(value)
            if width == 32 and arg["type"] == "u64":
                places = [places[0][8:], places[0][:8]]
            registers += places
        body += f'    report("{call["name"]}", HYPERVISOR_{call["name"]}({", ".join(values)}), {len(registers)});\n'
        expected.append(" ".join([call["name"], "-38", f"{call['number']:x}", *registers]))
    return PROGRAM.replace("@CALLS@", body), expected


def check_stubs(project, build, directory, calls, tally):
    for width in (64, 32):
        text, expected = program_and_expectation(calls, width)
        source = os.path.join(directory, f"stubs_{width}.c")
        with open(source, "w", encoding="utf-8") as output:
            output.write(text)
        for level in ("-O0", "-O2"):
            program = os.path.join(directory, f"stubs_{width}{level}")
            run_compiler(["gcc", f"-m{width}", level, "-std=gnu11", "-no-pie", "-fno-pie", "-mno-red-zone", "-Wall",
                          "-Wextra", "-Werror", "-I", project, "-I", os.path.join(build, "gen"), source, "-o", program])
            lines = run_compiler([program]).splitlines()
            tally.judge(len(lines) == len(expected) > 30, f"{width}-bit stubs {level}: as many lines as calls")
            for line, wanted in zip(lines, expected):
                tally.judge(line == wanted, f"{width}-bit stub {level}: [{line}] instead of [{wanted}]")
