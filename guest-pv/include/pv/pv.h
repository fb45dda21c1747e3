/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel as a whole: what the domain builder handed over, who we are, how to stop.
 * Functions under pv/ return 0 or more on success and a negative errno value (newlib's numbers) on failure,
 * unless their comment says otherwise.
 */
#ifndef PV_PV_H
#define PV_PV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <abi/xen.h>

#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#endif
#ifndef PAGE_SIZE
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#endif
#ifndef PAGE_MASK
#define PAGE_MASK (~(PAGE_SIZE - 1))
#endif

/* The builder's page, still mapped; the shared page, mapped before main() runs. */
extern struct start_info *start_info;
extern struct shared_info *shared_info;

/* True when the builder gave us the hardware (SIF_INITDOMAIN). */
bool pv_is_dom0(void);

/* Our own domain number, asked from the hypervisor once. */
domid_t pv_domid(void);

/* The command line as given, without the kernel's name; never NULL. */
const char *pv_command_line(void);

/* Value of `name=value` among the words of the command line, or NULL. The string lives as long as the kernel. */
const char *pv_option(const char *name);

/* The same as a number, decimal or, behind 0x, hexadecimal. A value that is none is reported and not used. */
unsigned long pv_option_number(const char *name, unsigned long otherwise);

/* The program's entry; argv[0] is "kernel", the rest are the words of the command line (double quotes group). */
int main(int argc, char **argv);

/* Ends the domain with the given reason (SHUTDOWN_poweroff, _reboot, _suspend, _crash). */
_Noreturn void pv_shutdown(unsigned int reason);

/*
 * Called once when the toolstack asks through control/shutdown ("poweroff", "reboot", "halt", "suspend"), in thread
 * context. Returning true means the hook took care of it; false lets the library act (flush stdio, then pv_shutdown, or
 * pv_suspend).
 */
typedef bool pv_shutdown_hook_t(const char *request);
void pv_set_shutdown_hook(pv_shutdown_hook_t *hook);

/* Starts the threads that follow control/shutdown and memory/target in the xenstore; on by default in a domU. */
int pv_control_start(void);
int pv_balloon_start(void);

/* Prints and crashes the domain, so that the toolstack sees SHUTDOWN_crash. Safe in any context. */
_Noreturn void pv_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* printf straight to the console, without newlib's buffers: for handlers and secondary vCPUs. */
void pv_printk(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A negative return value of a hypercall (Xen's numbering) as a negative errno of newlib; others pass unchanged. */
long pv_error(long rc);

#endif
