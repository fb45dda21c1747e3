# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A saved domain to be taken apart and spoilt: where its records, pages and registers are."""
import struct

(END, PAGE_DATA, PV_INFO, P2M_FRAMES, VCPU_BASIC, VCPU_EXTENDED, VCPU_XSAVE, SHARED_INFO, TSC_INFO) = range(9)
STATIC_DATA_END, CPUID_POLICY, MSR_POLICY = 16, 17, 18
PAGE = 4096
PRESENT, WRITABLE, LARGE = 1, 2, 0x80
FRAME_MASK = 0xFFFFFFFFFF000


class Saved:
    """The bytes of a file of save's; what lies behind its end, as on a disk, is left out."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.find_records()
        self.width = self.data[self.body(PV_INFO)]

    def find_records(self):
        self.outer = 48 + self.get(44, "I")
        self.image = self.outer + 24
        self.records = []  # type, offset of the header, length of the body
        at = self.image + 40
        while not self.records or self.records[-1][0] != END:
            kind, length = struct.unpack_from("<II", self.data, at)
            self.records.append((kind, at, length))
            at += 8 + (length + 7 & ~7)
        del self.data[at + 8:]

    def copy(self):
        return Saved(self.data)

    def configuration(self):
        return self.data[52:self.outer - 1].decode()

    def configure(self, text):
        """Replaces the configuration; what lies behind it moves."""
        coded = text.encode() + b"\0"
        self.data[44:self.outer] = struct.pack("<II", len(coded) + 4, len(coded)) + coded
        self.find_records()

    def header(self, kind):
        """Offset of the first record of that type."""
        return next(at for found, at, _ in self.records if found == kind)

    def body(self, kind):
        return self.header(kind) + 8

    def get(self, offset, form):
        return struct.unpack_from("<" + form, self.data, offset)[0]

    def put(self, offset, form, value):
        struct.pack_into("<" + form, self.data, offset, value)

    def pages(self):
        """Every page that has contents: pfn, type, offset of the contents, offset of its number."""
        for kind, at, _ in self.records:
            if kind != PAGE_DATA:
                continue
            count = self.get(at + 8, "I")
            contents = at + 16 + 8 * count
            for index in range(count):
                word = self.get(at + 16 + 8 * index, "Q")
                if word >> 60 < 13:
                    yield word & (1 << 52) - 1, word >> 60, contents, at + 16 + 8 * index
                    contents += PAGE

    def page(self, pfn):
        """Offset of a page's contents."""
        return next(contents for found, _, contents, _ in self.pages() if found == pfn)

    def table(self, level):
        """Some page table: pfn, offset of its contents, offset of its first present entry."""
        for pfn, kind, contents, _ in self.pages():
            if kind < 13 and kind & 7 == level:
                for entry in range(contents, contents + PAGE, 8):
                    if self.get(entry, "Q") & PRESENT:
                        return pfn, contents, entry
        raise LookupError(level)

    def register(self, name):
        """Offset of a register of vCPU 0."""
        places = {8: {"edx": 616, "cr3": 5008, "gdt_entries": 4960}, 4: {"edx": 524, "cr3": 2728, "gdt_entries": 2704}}
        return self.body(VCPU_BASIC) + 8 + places[self.width][name]
