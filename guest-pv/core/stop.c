/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The end of the domain, wanted or not.
 */
#include <stdarg.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/pv.h>
#include "format.h"

void pv_shutdown(unsigned int reason)
{
    struct sched_shutdown shutdown = {.reason = reason};

    console_flush();
    irq_disable();
    for (;;)
        HYPERVISOR_sched_op(SCHEDOP_shutdown, &shutdown);
}

void pv_printk(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    console_write_now(text, format_text(text, sizeof(text), format, args));
    va_end(args);
}

void pv_panic(const char *format, ...)
{
    char text[256];
    va_list args;

    irq_disable();
    va_start(args, format);
    console_write_now(text, format_text(text, sizeof(text), format, args));
    va_end(args);
    pv_shutdown(SHUTDOWN_crash);
}
