#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Reads a core file that dump-core (or xl dump-core) wrote from a PV guest.

    xen_core.py info CORE           what it is, and the vCPUs' registers
    xen_core.py check CORE          whether its parts agree with each other; the exit status tells
    xen_core.py gdb CORE OUT        the same as an ordinary core file: gdb KERNEL OUT
    xen_core.py read CORE ADDR N    N bytes at a kernel address, to the standard output

gdb does not read Xen's format, whose pages are listed by frame number and not by address. `gdb` walks the page tables of
the first vCPU and writes a segment for each run of mapped pages.
"""
import argparse
import mmap
import struct
import sys

PAGE = 4096
CONTEXT = 5168
NOTE_NONE, NOTE_HEADER, NOTE_VERSION, NOTE_FORMAT = 0x2000000, 0x2000001, 0x2000002, 0x2000003
MAGIC_PV = 0xF00FEBED
EM_386, EM_X86_64 = 3, 62
PRESENT, LARGE, ADDRESS = 1, 0x80, 0x000FFFFFFFFFF000
NOWHERE = 0xFFFFFFFFFFFFFFFF

# Where vcpu_guest_context keeps the registers, by width: 512 bytes of FPU state and the flags come first.
REGISTERS64 = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi error rip cs flags rsp ss es ds fs gs".split()
REGISTERS32 = "ebx ecx edx esi edi ebp eax error eip cs eflags esp ss es ds fs gs".split()
CONTROL64, CONTROL32 = 4984, 2716  # of ctrlreg[0]


class CoreError(Exception):
    """The file is not what it says it is."""


class Core:
    """An open core file. Frames are found by machine frame number, as page tables name them."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.data = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
        self.sections = self.read_sections()
        self.notes = dict(self.read_notes())
        if NOTE_HEADER not in self.notes or NOTE_VERSION not in self.notes:
            raise CoreError("no core file of a Xen guest: its notes are missing")
        self.magic, self.vcpus, self.pages, self.page_size = struct.unpack_from("<4Q", self.notes[NOTE_HEADER])
        self.is_64bit = self.machine == EM_X86_64
        self.frames = list(struct.iter_unpack("<QQ", self.section(".xen_p2m")))
        self.by_mfn = {mfn: index for index, (pfn, mfn) in enumerate(self.frames) if pfn != NOWHERE}

    def read_sections(self):
        data = self.data
        if data[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", data, 16)[0] != 4:
            raise CoreError("not a 64-bit ELF core file")
        self.machine = struct.unpack_from("<H", data, 18)[0]
        table, = struct.unpack_from("<Q", data, 40)
        size, count, names = struct.unpack_from("<3H", data, 58)
        headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
        found = {}
        for header in headers:
            start = headers[names][4] + header[0]
            found[data[start:data.find(b"\0", start)].decode()] = header
        return found

    def section(self, name):
        if name not in self.sections:
            raise CoreError(f"there is no section {name}")
        header = self.sections[name]
        if header[4] + header[5] > len(self.data):
            raise CoreError(f"{name} ends behind the file: it was cut short")
        return self.data[header[4]:header[4] + header[5]]

    def read_notes(self):
        notes, at = self.section(".note.Xen"), 0
        while at + 12 <= len(notes):
            name_size, size, kind = struct.unpack_from("<3I", notes, at)
            at += 12 + (name_size + 3 & ~3)
            yield kind, notes[at:at + size]
            at += size + 3 & ~3

    def context(self, vcpu):
        start = self.sections[".xen_prstatus"][4] + vcpu * CONTEXT
        return self.data[start:start + CONTEXT]

    def registers(self, vcpu):
        context = self.context(vcpu)
        if self.is_64bit:
            return dict(zip(REGISTERS64, struct.unpack_from("<15QQQH6xQQH6xH6xH6xH6xH6x", context, 520)))
        return dict(zip(REGISTERS32, struct.unpack_from("<7IIIH2xIIH2xH2xH2xH2xH2x", context, 516)))

    def root(self, vcpu):
        """The machine frame of the vCPU's page table root; a 32-bit one is rotated to fit into CR3."""
        if self.is_64bit:
            return struct.unpack_from("<Q", self.context(vcpu), CONTROL64 + 24)[0] >> 12
        cr3, = struct.unpack_from("<I", self.context(vcpu), CONTROL32 + 12)
        return cr3 >> 12 | (cr3 & 0xFFF) << 20

    def page_offset(self, mfn):
        """Where a frame's contents lie in the file, or None when it is not the guest's."""
        index = self.by_mfn.get(mfn)
        return None if index is None else self.sections[".xen_pages"][4] + index * PAGE

    def entries(self, mfn):
        offset = self.page_offset(mfn)
        return () if offset is None else struct.unpack_from("<512Q", self.data, offset)

    def mapped(self, kernel_only=True):
        """(address, file offset) of each mapped page that is the guest's own, by address."""
        levels = 4 if self.is_64bit else 3
        self.tables_left = len(self.frames) // 8 + 1024
        yield from self.walk(self.root(0), levels, 0, kernel_only)

    def walk(self, mfn, level, base, kernel_only):
        self.tables_left -= 1
        if self.tables_left < 0:
            raise CoreError("its page tables refer to themselves too often")
        for i, entry in enumerate(self.entries(mfn)[:4 if level == 3 and not self.is_64bit else 512]):
            address = base + (i << 12 + 9 * (level - 1))
            if level == 4 and i >= 256:
                address |= 0xFFFF << 48
            if not entry & PRESENT or level == 4 and kernel_only and i < 256 and not self.in_low_half():
                continue
            if level > 1 and not entry & LARGE:
                yield from self.walk((entry & ADDRESS) >> 12, level - 1, address, kernel_only)
            elif level == 1:
                offset = self.page_offset((entry & ADDRESS) >> 12)
                if offset is not None:
                    yield address, offset

    def in_low_half(self):
        """Small kernels live where Linux has its programs."""
        return self.registers(0)["rip"] < 1 << 47

    def read(self, address, size):
        pages = dict(self.mapped(kernel_only=False))
        out = bytearray()
        while len(out) < size:
            at = address + len(out)
            offset = pages.get(at & ~(PAGE - 1))
            if offset is None:
                raise CoreError(f"{at:#x} is not mapped")
            part = min(size - len(out), PAGE - at % PAGE)
            out += self.data[offset + at % PAGE:offset + at % PAGE + part]
        return bytes(out)


def problems(core):
    """What does not fit together."""
    if core.magic != MAGIC_PV:
        yield f"magic {core.magic:#x}"
    if core.page_size != PAGE:
        yield f"page size {core.page_size}"
    if set(core.notes) != {NOTE_NONE, NOTE_HEADER, NOTE_VERSION, NOTE_FORMAT}:
        yield "a note is missing"
    if core.notes.get(NOTE_FORMAT) != struct.pack("<Q", 1):
        yield "the format's version is not 0.1"
    if len(core.section(".xen_prstatus")) != core.vcpus * CONTEXT:
        yield ".xen_prstatus does not hold the vCPUs"
    if len(core.section(".xen_shared_info")) != PAGE:
        yield ".xen_shared_info is not a page"
    if len(core.frames) != core.pages or len(core.section(".xen_pages")) != core.pages * PAGE:
        yield "the number of pages differs between header, table and contents"
    if any(a[0] >= b[0] for a, b in zip(core.frames, core.frames[1:])):
        yield ".xen_p2m is not in order"
    for vcpu in range(core.vcpus):
        if core.page_offset(core.root(vcpu)) is None:
            yield f"the page tables of vCPU {vcpu} are not in it"
    if not any(True for _ in core.mapped()):
        yield "the page tables map nothing of it"


def show(core):
    version = struct.unpack_from("<2Q16s", core.notes[NOTE_VERSION])
    print(f"{'64' if core.is_64bit else '32'}-bit guest, {core.vcpus} vCPUs, {core.pages} pages "
          f"({core.pages * PAGE >> 20} MiB), Xen ABI {version[0]}.{version[1]}{version[2].rstrip(bytes(1)).decode()}")
    for vcpu in range(core.vcpus):
        print(f"vCPU {vcpu}: page tables at frame {core.root(vcpu):#x}")
        names = list(core.registers(vcpu).items())
        for at in range(0, len(names), 4):
            print("  " + "  ".join(f"{name:>6} {value:0{16 if core.is_64bit else 8}x}" for name, value in names[at:at + 4]))


def thread_note(core, vcpu):
    """An NT_PRSTATUS note: what gdb takes a thread's registers from."""
    value = core.registers(vcpu)
    if core.is_64bit:
        base = struct.unpack_from("<3Q", core.context(vcpu), 5144)
        order = REGISTERS64[:15] + ["all", "rip", "cs", "flags", "rsp", "ss", "fsb", "gsb", "ds", "es", "fs", "gs"]
        value.update(all=NOWHERE, fsb=base[0], gsb=base[1] if value["cs"] & 3 == 3 and not core.in_low_half() else base[2])
        body = bytearray(112) + struct.pack("<27Q", *(value[name] for name in order)) + bytes(8)
        struct.pack_into("<I", body, 32, vcpu + 1)
    else:
        order = ["ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "ds", "es", "fs", "gs", "all", "eip", "cs", "eflags",
                 "esp", "ss"]
        value.update(all=0xFFFFFFFF)
        body = bytearray(72) + struct.pack("<17I", *(value[name] for name in order)) + bytes(4)
        struct.pack_into("<I", body, 24, vcpu + 1)
    return struct.pack("<3I8s", 5, len(body), 1, b"CORE") + body


def runs(core):
    """(address, file offset, size) of what is contiguous in both."""
    run = None
    for address, offset in core.mapped():
        if run and run[0] + run[2] == address and run[1] + run[2] == offset:
            run[2] += PAGE
            continue
        if run:
            yield run
        run = [address, offset, PAGE]
    if run:
        yield run


def write_gdb(core, path):
    """Headers, notes, then the pages as they are; segments point into them."""
    notes = b"".join(thread_note(core, vcpu) for vcpu in range(core.vcpus))
    found = list(runs(core))
    wide = core.is_64bit
    file_size, program_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    count = len(found) + 1
    sections_at = file_size + count * program_size
    notes_at = sections_at + section_size
    pages_at = notes_at + len(notes) + PAGE - 1 & ~(PAGE - 1)
    first = core.sections[".xen_pages"][4]

    def program(kind, flags, offset, address, size):
        if wide:
            return struct.pack("<IIQQQQQQ", kind, flags, offset, address, 0, size, size, PAGE if kind == 1 else 4)
        return struct.pack("<8I", kind, offset, address, 0, size, size, flags, PAGE if kind == 1 else 4)

    with open(path, "wb") as out:
        many = count >= 0xFFFF
        ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
        out.write(ident + struct.pack("<HHI" + ("QQQ" if wide else "III") + "I6H", 4, core.machine, 1, 0, file_size,
                                      sections_at, 0, file_size, program_size, 0xFFFF if many else count, section_size, 1, 0))
        out.write(program(4, 4, notes_at, 0, len(notes)))
        for address, offset, size in found:
            out.write(program(1, 7, pages_at + offset - first, address, size))
        # The first section's header holds the number of segments when it does not fit into the file's.
        out.write(struct.pack("<IIQQQQIIQQ" if wide else "<10I", 0, 0, 0, 0, 0, 0, 0, count if many else 0, 0, 0))
        out.write(notes)
        out.write(bytes(pages_at - out.tell()))
        out.write(core.section(".xen_pages"))
    print(f"{path}: {core.vcpus} threads, {len(found)} segments")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["info", "check", "gdb", "read"])
    parser.add_argument("core")
    parser.add_argument("more", nargs="*")
    arguments = parser.parse_args()
    expected = {"gdb": "OUT", "read": "ADDR N"}.get(arguments.command, "")
    if len(arguments.more) != len(expected.split()):
        parser.error(f"{arguments.command} CORE takes {expected or 'nothing'} besides")
    try:
        core = Core(arguments.core)
        if arguments.command == "gdb":
            write_gdb(core, *arguments.more)
        elif arguments.command == "read":
            sys.stdout.buffer.write(core.read(*(int(number, 0) for number in arguments.more)))
        else:
            if arguments.command == "info":
                show(core)
            found = list(problems(core))
            for problem in found:
                print(f"{arguments.core}: {problem}", file=sys.stderr)
            return 1 if found else 0
    except (CoreError, OSError, KeyError, ValueError, struct.error, IndexError) as error:
        print(f"{arguments.core}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
