/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Port I/O. Whether a vCPU may try is decided by its virtual IOPL and its I/O bitmap; what it then reaches by whether
 * its domain is trusted with the hardware. Any other port reads as ones and ignores writes, as an empty bus does.
 */
#include "cpu/cpu.h"
#include "boot/cmdline.h"
#include "dev/acpi.h"
#include "dev/io.h"
#include "emulate/emulation.h"
#include "guest_access.h"

#define UART_PORTS   8
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define IO_BURST     64 /* elements of a string instruction before the guest's own loop goes on */

bool iopl_sufficient(struct vcpu *v, const struct cpu_regs *regs)
{
    bool architectural = (v->domain->vm_assist & 1UL << VMASST_TYPE_architectural_iopl) != 0;
    unsigned level = !guest_in_kernel(v, regs) ? 3 : architectural ? 0 : 1;

    return level <= v->iopl;
}

/* The bitmap lies in the kernel's address space. A port straddles at most two of its bytes. */
static bool bitmap_allows(struct vcpu *v, unsigned port, unsigned bytes)
{
    u8 map[2] = {0xFF, 0xFF};
    unsigned last = port + bytes - 1;
    bool toggled = !v->is_32bit && !v->kernel_mode;

    if (v->io_bitmap == 0 || last >= v->io_bitmap_ports)
        return false;
    if (toggled)
        toggle_guest_mode(v);
    if (copy_from_guest(map, v->io_bitmap + port / 8, last / 8 - port / 8 + 1))
        map[0] = map[1] = 0xFF;
    if (toggled)
        toggle_guest_mode(v);
    return (((unsigned)map[1] << 8 | map[0]) >> (port & 7) & ((1U << bytes) - 1)) == 0;
}

bool guest_port_allowed(struct vcpu *v, unsigned port, unsigned bytes)
{
    return iopl_sufficient(v, guest_regs()) || bitmap_allows(v, port, bytes);
}

/* Ports of devices that we drive ourselves. */
static bool port_is_ours(unsigned port)
{
    if ((port & ~0x81U) == 0x20) /* the two interrupt controllers */
        return true;
    if (port == 0x40 || port == 0x41)
        return true;
    if (options.serial && port >= options.serial_port && port < options.serial_port + (unsigned)UART_PORTS)
        return true;
    return acpi.pm_timer && port >= acpi.pm_timer && port < acpi.pm_timer + 4U;
}

static bool ports_reachable(struct vcpu *v, unsigned port, unsigned bytes)
{
    if (!v->domain->iopl_trusted)
        return false;
    for (unsigned i = 0; i < bytes; i++)
        if (port_is_ours(port + i))
            return false;
    return true;
}

u32 guest_io_read(struct vcpu *v, unsigned port, unsigned bytes)
{
    guest_port_breakpoints(v, port, bytes);
    if (!ports_reachable(v, port, bytes))
        return (u32)mask_of(bytes);
    switch (bytes) {
    case 1:
        return inb((u16)port);
    case 2:
        return inw((u16)port);
    default:
        return inl((u16)port);
    }
}

void guest_io_write(struct vcpu *v, unsigned port, unsigned bytes, u32 value)
{
    guest_port_breakpoints(v, port, bytes);
    if (!ports_reachable(v, port, bytes))
        return;
    if (port == PIT_COMMAND && value >> 6 != 2) /* channel 2 alone is the guest's */
        return;
    switch (bytes) {
    case 1:
        outb((u16)port, (u8)value);
        break;
    case 2:
        outw((u16)port, (u16)value);
        break;
    default:
        outl((u16)port, value);
        break;
    }
}

static unsigned io_size(const struct emulation *e)
{
    return MIN(e->insn.operand_size, 4);
}

enum outcome emulate_port_io(struct emulation *e)
{
    unsigned size = io_size(e);
    unsigned port = e->insn.opcode & 8 ? (u16)e->regs->rdx : (u8)e->insn.immediate;

    if (port + size > 0x10000 || !guest_port_allowed(e->v, port, size))
        return NOT_EMULATED;
    if (e->insn.opcode & 2)
        guest_io_write(e->v, port, size, (u32)register_read(e->regs, REG_AX, size, 0x40));
    else
        register_write(e->regs, REG_AX, size, 0x40, guest_io_read(e->v, port, size));
    return EMULATED;
}

/* One element; the memory operand is checked before the port is touched, and written after it is read. */
static enum outcome io_element(struct emulation *e, unsigned port, unsigned size)
{
    bool in = e->insn.opcode < 0x6E;
    unsigned number = in ? REG_DI : REG_SI, width = e->insn.address_size;
    enum segment segment = in ? SEG_ES : e->insn.segment == SEG_NONE ? SEG_DS : e->insn.segment;
    unsigned long linear;
    u32 value = 0;

    if (operand_linear(e, segment, register_address(e->regs, number, width), size, in, &linear) == FAULTED)
        return FAULTED;
    if (in) {
        value = guest_io_read(e->v, port, size);
        if (operand_write(e, linear, &value, size) == FAULTED)
            return FAULTED;
    } else {
        if (operand_read(e, linear, &value, size) == FAULTED)
            return FAULTED;
        guest_io_write(e->v, port, size, value);
    }
    register_advance(e->regs, number, width, e->regs->rflags & X86_EFLAGS_DF ? -(s64)size : (s64)size);
    return EMULATED;
}

enum outcome emulate_string_io(struct emulation *e)
{
    unsigned size = io_size(e), port = (u16)e->regs->rdx, width = e->insn.address_size;

    if (e->insn.repeat && !register_address(e->regs, REG_CX, width))
        return EMULATED;
    if (port + size > 0x10000 || !guest_port_allowed(e->v, port, size))
        return NOT_EMULATED;
    if (!e->insn.repeat)
        return io_element(e, port, size);
    for (unsigned i = 0; i < IO_BURST && register_address(e->regs, REG_CX, width); i++) {
        if (io_element(e, port, size) == FAULTED)
            return FAULTED;
        register_advance(e->regs, REG_CX, width, -1);
    }
    if (register_address(e->regs, REG_CX, width))
        e->next_rip = e->regs->rip;
    return EMULATED;
}
