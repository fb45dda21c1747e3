#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""What a saved domain consists of: saved.py FILE prints its records. A reader of its own, so that what ours writes and what
genuine xl writes are seen by eyes that neither wrote; it finds the end of one that lies on a larger disk."""
import collections
import mmap
import struct
import sys

NAMES = ["END", "PAGE_DATA", "X86_PV_INFO", "X86_PV_P2M_FRAMES", "X86_PV_VCPU_BASIC", "X86_PV_VCPU_EXTENDED",
         "X86_PV_VCPU_XSAVE", "SHARED_INFO", "X86_TSC_INFO", "HVM_CONTEXT", "HVM_PARAMS", "TOOLSTACK",
         "X86_PV_VCPU_MSRS", "VERIFY", "CHECKPOINT", "CHECKPOINT_DIRTY_PFN_LIST", "STATIC_DATA_END",
         "X86_CPUID_POLICY", "X86_MSR_POLICY"]
PAGE_DATA = 1
PFN = (1 << 52) - 1
WITHOUT_DATA = (13, 14, 15)


class Saved:
    """The bytes of a saved domain: its configuration, its records and its size."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        optional, configuration = struct.unpack_from("<II", self.data, 44)
        self.configuration = self.data[52:52 + configuration].rstrip(b"\0").decode()
        self.records, self.at = [], 48 + optional + 16
        kind, length = self.take("<II")
        if (kind, length) != (1, 0):
            sys.exit(f"saved: {path}: the first record of libxl's stream is {kind}, not the context of libxc")
        self.at += 24 + 16
        while True:
            kind, length = self.take("<II")
            self.records.append((kind, self.at, length))
            self.at += -(-length // 8) * 8
            if kind == 0:
                break
        kind, length = self.take("<II")
        if (kind, length) != (0, 0):
            sys.exit(f"saved: {path}: libxl's stream goes on with record {kind}")
        self.size = self.at

    def take(self, layout):
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def frames(self):
        """(PFN, type) of all pages, in their order."""
        for kind, at, _ in self.records:
            if kind == PAGE_DATA:
                for word in struct.unpack_from(f"<{struct.unpack_from('<I', self.data, at)[0]}Q", self.data, at + 8):
                    yield word & PFN, word >> 60

    def check_pages(self):
        """Sizes fit counts; only pages with contents have them."""
        for kind, at, length in self.records:
            if kind == PAGE_DATA:
                [count] = struct.unpack_from("<I", self.data, at)
                words = struct.unpack_from(f"<{count}Q", self.data, at + 8)
                if length != 8 + 8 * count + 4096 * sum(word >> 60 not in WITHOUT_DATA for word in words):
                    sys.exit(f"saved: PAGE_DATA at {at:#x}: {length} bytes do not fit its {count} pages")


def main():
    saved = Saved(sys.argv[1])
    saved.check_pages()
    print(saved.configuration)
    for kind, at, length in saved.records:
        name = NAMES[kind & 0x7FFFFFFF] if kind & 0x7FFFFFFF < len(NAMES) else "unknown"
        if kind != PAGE_DATA:
            print(f"{at - 8:#10x} {name:24} {length:6} {saved.data[at:at + min(length, 40)].hex()}")
    frames = list(saved.frames())
    types = collections.Counter(kind for _, kind in frames)
    print(f"{saved.size} bytes; {len(frames)} pages sent, {len({pfn for pfn, _ in frames})} different; of type: "
          + ", ".join(f"{kind}: {count}" for kind, count in sorted(types.items())))


if __name__ == "__main__":
    main()
