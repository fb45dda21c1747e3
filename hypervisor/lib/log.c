/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the hypervisor says: leveled lines with the prefix that every Xen user knows, panic with registers and a
 * backtrace by name, and the wait for a contended lock.
 */
#include "domain.h"
#include "boot/boot.h"
#include "boot/cmdline.h"
#include "cpu/cpu.h"
#include "dev/console.h"
#include "dev/power.h"
#include "emulate/decode.h"
#include "lib/symbols.h"

#define LINE_SIZE   512
#define GUEST_BURST 50 /* lines a second about guests */

static const char prefix[] = "(XEN) ";

static void vlog(const char *lead, const char *format, va_list args)
{
    char line[LINE_SIZE];
    size_t length = (size_t)snprintf(line, sizeof(line), "%s%s", prefix, lead);
    int wanted = vsnprintf(line + length, sizeof(line) - length, format, args);

    length = MIN(length + (size_t)MAX(wanted, 0), sizeof(line) - 1);
    if (wanted > 0 && (size_t)wanted >= sizeof(line) - 8)
        line[length - 1] = '\n';
    console_write(line, length);
}

void logf(enum log_level level, const char *format, ...)
{
    va_list args;

    if (level > options.log_level)
        return;
    va_start(args, format);
    vlog("", format, args);
    va_end(args);
}

/* A guest can cause these lines at will, so they are rationed. */
void guest_logf(enum log_level level, const char *format, ...)
{
    static ns_t second;
    static unsigned count, dropped;
    ns_t now = time_now() / 1000000000UL;
    char lead[32] = "";
    va_list args;

    if (level > options.guest_log_level)
        return;
    if (now != second) {
        if (dropped)
            logf(LOG_WARNING, "%u messages about guests were left out\n", dropped);
        second = now;
        count = dropped = 0;
    }
    if (++count > GUEST_BURST) {
        dropped++;
        return;
    }
    if (current && !current->idle)
        snprintf(lead, sizeof(lead), "d%uv%u ", current->domain->id, current->id);
    va_start(args, format);
    vlog(lead, format, args);
    va_end(args);
}

/* Appends what the code stands for. The recursion is bounded: a pair's codes are lower than its own. */
static char *unpack_code(char *to, u8 code)
{
    if (code < symbol_letter_count) {
        *to = symbol_letters[code];
        return to + 1;
    }
    const u8 *pair = symbol_pairs[code - symbol_letter_count];
    return unpack_code(unpack_code(to, pair[0]), pair[1]);
}

/* Where the next function's entry begins. */
static const u8 *unpack_name(char name[SYMBOL_NAME_MAX], const u8 *at)
{
    char *end = name;

    do
        end = unpack_code(end, *at++);
    while (end[-1]);
    return at;
}

static const u8 *unpack_distance(unsigned long *to, const u8 *at)
{
    *to += *at & 127;
    if (*at++ & 128)
        *to += (unsigned long)*at++ << 7;
    return at;
}

bool symbol_name(unsigned long address, char name[SYMBOL_NAME_MAX], unsigned long *offset)
{
    const u8 *at = symbol_table;
    unsigned long here = IMAGE_START;

    name[0] = 0;
    if (address < IMAGE_START || address >= (unsigned long)_text_end)
        return false;
    for (u32 i = 0; i < symbol_count; i++) {
        at = unpack_distance(&here, at);
        if (here > address)
            break;
        *offset = address - here;
        at = unpack_name(name, at);
    }
    return name[0] != 0;
}

static void print_address(unsigned long address)
{
    char name[SYMBOL_NAME_MAX];
    unsigned long offset;

    if (symbol_name(address, name, &offset))
        logf(LOG_ERROR, "   [%p] %s+%#lx\n", (void *)address, name, offset);
    else
        logf(LOG_ERROR, "   [%p]\n", (void *)address);
}

/* Without frame pointers every word of the stack that points behind a call of ours is shown: some are left over from
 * calls that have returned. */
void print_backtrace(unsigned long from)
{
    const unsigned long *word = (const unsigned long *)(from & ~7UL), *end = (const unsigned long *)this_cpu();
    unsigned shown = 0;

    logf(LOG_ERROR, "Xen call trace:\n");
    for (; word < end && shown < 24; word++) {
        if (*word < IMAGE_START + 5 || *word >= (unsigned long)_text_end)
            continue;
        const u8 *code = (const u8 *)*word;
        if (code[-5] != 0xE8 && code[-2] != 0xFF && code[-3] != 0xFF)
            continue;
        print_address(*word);
        shown++;
    }
}

/* In the order of their numbers, four a line: eight of a 32-bit kernel, sixteen of others. */
void print_registers(const struct cpu_regs *r, unsigned count)
{
    static const char names[16][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    char line[128];
    size_t length = 0;

    logf(LOG_ERROR, "  cs:rip %04x:%016lx  ss:rsp %04x:%016lx  rflags %08lx\n", r->cs, r->rip, r->ss, r->rsp,
         r->rflags);
    for (unsigned i = 0; i < count; i++) {
        length +=
            (size_t)snprintf(line + length, sizeof(line) - length, "  %s %016lx", names[i], register_address(r, i, 8));
        if (i % 4 == 3) {
            logf(LOG_ERROR, "%s\n", line);
            length = 0;
        }
    }
}

void panic(const char *format, ...)
{
    static bool again;
    va_list args;

    __asm__ volatile("cli");
    console_force();
    va_start(args, format);
    vlog("Panic on CPU: ", format, args);
    va_end(args);
    console_write("\n", 1);
    if (!again) {
        again = true;
        print_backtrace((unsigned long)__builtin_frame_address(0));
    }
    if (options.noreboot) {
        logf(LOG_ERROR, "noreboot: halted\n");
        for (;;)
            __asm__ volatile("hlt");
    }
    machine_restart();
}
