/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console. Output goes to a 16550 serial line, polled, and ours goes into a ring that dom0 reads back. What dom0
 * itself prints stays out of the ring, or reading it would fill it (console_to_ring puts it in). Input belongs to dom0
 * until the control character (Ctrl-A by default) comes three times; then keys are commands to the hypervisor.
 */
#include "domain.h"
#include "boot/cmdline.h"
#include "dev/console.h"
#include "dev/io.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

#define UART_DATA   0
#define UART_IER    1
#define UART_FCR    2
#define UART_LCR    3
#define UART_MCR    4
#define UART_LSR    5
#define LSR_READY   0x01
#define LSR_EMPTY   0x20
#define FIFO_SIZE   16
#define STUCK_AFTER 4000000U /* looks at a line that does not move: seconds */

static spinlock_t lock = SPINLOCK_INIT, input_lock = SPINLOCK_INIT;
static bool present, unlocked;
static char ring[CONSOLE_RING_SIZE];
static u32 ring_total, ring_cleared;
static char input[1024];
static u32 input_head, input_tail;
static unsigned switch_count;
static bool input_to_us;

static void uart_init(void)
{
    u16 port = options.serial_port;

    if (!options.serial || inb(port + UART_LSR) == 0xFF)
        return;
    outb(port + UART_LCR, 0x03);
    outb(port + UART_IER, 0);
    if (options.serial_baud) {
        u16 divisor = (u16)(115200 / options.serial_baud);
        outb(port + UART_LCR, 0x83);
        outb(port + UART_DATA, (u8)divisor);
        outb(port + UART_IER, (u8)(divisor >> 8));
        outb(port + UART_LCR, 0x03);
    }
    outb(port + UART_FCR, 0x07);
    outb(port + UART_MCR, 0x0B); /* OUT2 gates its interrupt */
    outb(port + UART_IER, 0x01);
    present = true;
}

/* Whoever reads the line may be slow, or gone: then what is said is lost until it moves again. The ring has it. */
static bool uart_ready(void)
{
    static bool stuck;

    for (unsigned looks = stuck ? 1 : STUCK_AFTER; looks; looks--) {
        if (inb(options.serial_port + UART_LSR) & LSR_EMPTY) {
            stuck = false;
            return true;
        }
        __asm__ volatile("pause");
    }
    stuck = true;
    return false;
}

/* A full FIFO may be written after one look at the line. */
static void uart_write(const char *text, size_t length)
{
    unsigned room = 0;

    for (size_t i = 0; i < length; i++) {
        if (room == 0) {
            if (!uart_ready())
                return;
            room = FIFO_SIZE;
        }
        if (text[i] == '\n') {
            outb(options.serial_port, '\r');
            if (--room == 0) {
                i--;
                continue;
            }
        }
        outb(options.serial_port, (u8)text[i]);
        room--;
    }
}

void console_init(void)
{
    uart_init();
    input_to_us = !options.switch_at_boot;
    cmdline_warn();
}

static void write_unlocked(const char *text, size_t length, bool to_ring)
{
    for (size_t i = 0; to_ring && i < length; i++)
        ring[ring_total++ % CONSOLE_RING_SIZE] = text[i];
    if (present)
        uart_write(text, length);
}

void console_write(const char *text, size_t length)
{
    if (unlocked) {
        write_unlocked(text, length, true);
        return;
    }
    spin_lock(&lock);
    write_unlocked(text, length, true);
    spin_unlock(&lock);
    if (domain_zero)
        raise_softirq(this_cpu()->cpu, SOFTIRQ_CONSOLE);
}

void console_softirq(void)
{
    send_global_virq(VIRQ_CON_RING);
}

void console_force(void)
{
    unlocked = true;
}

u32 console_ring_read(char *to, u32 size, u32 *index, bool incremental)
{
    u32 oldest = ring_total > CONSOLE_RING_SIZE ? ring_total - CONSOLE_RING_SIZE : 0, at, count = 0;

    spin_lock(&lock);
    oldest = MAX(oldest, ring_cleared);
    at = incremental ? MAX(oldest, MIN(*index, ring_total)) : oldest;
    while (count < size && at + count < ring_total) {
        to[count] = ring[(at + count) % CONSOLE_RING_SIZE];
        count++;
    }
    *index = at + count;
    spin_unlock(&lock);
    return count;
}

void console_ring_clear(void)
{
    spin_lock(&lock);
    ring_cleared = ring_total;
    spin_unlock(&lock);
}

static void switch_input(void)
{
    input_to_us = !input_to_us;
    logf(LOG_ERROR, "*** Serial input to %s (type Ctrl-%c three times to switch)\n", input_to_us ? "Paravane" : "DOM0",
         options.conswitch);
}

static void receive(char c)
{
    if (options.conswitch && c == (options.conswitch & 0x1F)) {
        if (++switch_count == 3) {
            switch_count = 0;
            switch_input();
            return;
        }
    } else {
        switch_count = 0;
    }
    if (input_to_us) {
        if (c != (options.conswitch & 0x1F))
            debug_key(c);
        return;
    }
    spin_lock(&lock);
    input[input_head++ % sizeof(input)] = c;
    spin_unlock(&lock);
    send_global_virq(VIRQ_CONSOLE);
}

/*
 * At most a few FIFOs' worth a call: a line that floods us cannot keep a CPU. What dom0 has no room for stays in the
 * line's FIFO, which holds the sender up; its interrupt does not come again then, but dom0's next read looks here.
 */
void console_poll_input(void)
{
    if (!present)
        return;
    spin_lock(&input_lock);
    for (unsigned i = 0; i < 64 && (input_to_us || input_head - input_tail < sizeof(input)) &&
                         (inb(options.serial_port + UART_LSR) & LSR_READY);
         i++)
        receive((char)inb(options.serial_port + UART_DATA));
    spin_unlock(&input_lock);
}

static void write_for_guest(const char *text, size_t length)
{
    if (options.console_to_ring) {
        console_write(text, length);
        return;
    }
    spin_lock(&lock);
    write_unlocked(text, length, false);
    spin_unlock(&lock);
}

static long guest_write(unsigned long count, unsigned long buffer)
{
    char part[128];
    unsigned long done = 0;

    while (done < count) {
        size_t size = MIN(count - done, sizeof(part));
        if (done && hypercall_preempt_check())
            return hypercall_continue(__HYPERVISOR_console_io, 3, CONSOLEIO_write, count - done, buffer + done);
        if (copy_from_guest(part, buffer + done, size))
            return -EFAULT;
        write_for_guest(part, size);
        done += size;
    }
    return 0;
}

static long guest_read(unsigned long count, unsigned long buffer)
{
    char part[64];
    long done = 0;

    while ((unsigned long)done < count && input_tail != input_head) {
        size_t size = 0;
        /* Two vCPUs of dom0 may read at once: only the lock keeps the tail from passing the head. */
        spin_lock(&lock);
        while (size < sizeof(part) && (unsigned long)done + size < count && input_tail != input_head)
            part[size++] = input[input_tail++ % sizeof(input)];
        spin_unlock(&lock);
        if (copy_to_guest(buffer + (unsigned long)done, part, size))
            return -EFAULT;
        done += (long)size;
    }
    console_poll_input();
    return done;
}

long do_console_io(unsigned long cmd, unsigned long count, unsigned long buffer)
{
    if (!current->domain->privileged)
        return -EPERM;
    switch ((u32)cmd) {
    case CONSOLEIO_write:
        return guest_write((u32)count, buffer);
    case CONSOLEIO_read:
        return guest_read(MIN((u32)count, 0x10000U), buffer);
    default:
        return -ENOSYS;
    }
}
