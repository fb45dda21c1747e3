#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a Linux guest's initramfs: initramfs.py OUTPUT BUSYBOX MODULES RELEASE TREE (MODULE | PROGRAM)...

The files of TREE, busybox with a link for each of its commands, and the named kernel modules of the directory MODULES
with those they need, in the order in which /lib/modules/RELEASE/order lists them for loading; what MODULES/modules.builtin
names is in the kernel already. What has a slash in its name is a PROGRAM's file, and goes to /bin. The bytes depend on
the contents alone.
"""

import gzip
import lzma
import os
import re
import subprocess
import sys

DIRECTORY, FILE, LINK = 0o040755, 0o100000, 0o120777


class Archive:
    """A cpio archive of the newc form."""

    def __init__(self):
        self.data = bytearray()
        self.names = set()

    def add(self, name, mode, contents=b""):
        """Directories above it come by themselves; what was added first stays."""
        above = os.path.dirname(name)
        if above and above not in self.names:
            self.add(above, DIRECTORY)
        if name in self.names:
            return
        self.names.add(name)
        self.entry(name, mode, contents)

    def entry(self, name, mode, contents):
        raw = name.encode() + b"\0"
        number = len(self.names)
        fields = [number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(raw), 0]
        self.data += b"070701" + b"".join(b"%08x" % field for field in fields) + raw
        self.data += bytes(-len(self.data) % 4) + contents
        self.data += bytes(-len(self.data) % 4)

    def finish(self):
        self.entry("TRAILER!!!", 0, b"")
        return gzip.compress(bytes(self.data), 9, mtime=0)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def module_name(path):
    return re.sub(r"\.ko(\.xz|\.gz|\.zst)?$", "", os.path.basename(path)).replace("-", "_")


def zstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, check=True, stdout=subprocess.PIPE).stdout


def module_contents(path):
    unpack = {".xz": lzma.decompress, ".gz": gzip.decompress, ".zst": zstd}.get(os.path.splitext(path)[1])
    return unpack(read(path)) if unpack else read(path)


def builtin_modules(directory):
    """The names of those that are part of the kernel."""
    try:
        return {module_name(line) for line in read(os.path.join(directory, "modules.builtin")).decode().split()}
    except FileNotFoundError:
        return set()


def find_modules(directory):
    """Each module's file by its name."""
    found = {}
    for base, _, files in os.walk(directory):
        for file in files:
            if ".ko" in file:
                found[module_name(file)] = os.path.join(base, file)
    return found


def load_order(wanted, found, order):
    """Adds (name, contents) to `order`, what a module needs before it."""
    for name in wanted:
        if any(name == have for have, _ in order):
            continue
        if name not in found:
            sys.exit(f"initramfs: the kernel has no module {name}")
        contents = module_contents(found[name])
        needs = re.search(rb"\0depends=([^\0]*)", contents)
        names = needs[1].decode().split(",") if needs and needs[1] else []
        load_order([need.replace("-", "_") for need in names], found, order)
        order.append((name, contents))


def add_tree(archive, tree):
    for base, directories, files in os.walk(tree):
        directories.sort()
        for file in sorted(files):
            path = os.path.join(base, file)
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            archive.add(os.path.relpath(path, tree), FILE | mode, read(path))


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    output, busybox, modules, release, tree = sys.argv[1:6]
    archive = Archive()
    for name in ("dev", "proc", "sys", "run", "tmp", "mnt", "root"):
        archive.add(name, DIRECTORY)
    archive.add("bin/busybox", FILE | 0o755, read(busybox))
    archive.add("init", LINK, b"bin/busybox")
    add_tree(archive, tree)
    commands = subprocess.run([os.path.abspath(busybox), "--list-full"], check=True, stdout=subprocess.PIPE, text=True)
    for command in sorted(commands.stdout.split()):
        archive.add(command, LINK, b"/bin/busybox")
    order = []
    builtin = builtin_modules(modules)
    programs = [name for name in sys.argv[6:] if "/" in name]
    for program in programs:
        archive.add(f"bin/{os.path.basename(program)}", FILE | 0o755, read(program))
    wanted = [module_name(name) for name in sys.argv[6:] if name not in programs]
    wanted = [name for name in wanted if name not in builtin]
    load_order(wanted, find_modules(modules), order)
    place = f"lib/modules/{release}"
    for name, contents in order:
        archive.add(f"{place}/{name}.ko", FILE | 0o644, contents)
    archive.add(f"{place}/order", FILE | 0o644, "".join(f"{name}\n" for name, _ in order).encode())
    with open(output, "wb") as file:
        file.write(archive.finish())


if __name__ == "__main__":
    main()
