# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Initial RAM disks for Linux: cpio archives of the newc form, made of files named here, the same bytes every time."""
import os
import re

import packages

FILE, DIRECTORY, LINK = 0o100000, 0o040000, 0o120000


class Archive:
    """Names and contents in the order of their adding; directories appear by themselves."""

    def __init__(self):
        self.entries = {}

    def directory(self, name):
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)
        if name:
            self.entries.setdefault(name, (DIRECTORY | 0o755, b""))

    def add(self, name, contents, mode=0o644):
        self.directory(os.path.dirname(name))
        self.entries[name] = (FILE | mode, contents)

    def link(self, name, target):
        self.directory(os.path.dirname(name))
        self.entries[name] = (LINK | 0o777, target.encode())

    def copy(self, root, name, target=None):
        """A file, link or whole directory below root, at the same place or at target."""
        source, target = os.path.join(root, name), target or name
        if os.path.islink(source):
            self.link(target, os.readlink(source))
        elif os.path.isdir(source):
            for inner in sorted(os.listdir(source)):
                self.copy(root, f"{name}/{inner}", f"{target}/{inner}")
        else:
            self.add(target, packages.read(source), 0o755 if os.access(source, os.X_OK) else 0o644)

    def bytes(self):
        parts = []
        entries = [*self.entries.items(), ("TRAILER!!!", (0, b""))]
        for number, (name, (mode, contents)) in enumerate(entries, 1):
            raw = name.encode() + b"\0"
            fields = [number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(raw), 0]
            header = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
            parts += [header, bytes(-len(header) % 4), contents, bytes(-len(contents) % 4)]
        data = b"".join(parts)
        return data + bytes(-len(data) % 512)


def module_files(package, names):
    """The kernel modules named and all that they depend on, in loading order: [(name, path)]."""
    root = packages.tree(package)
    found = {}
    for directory, _, files in os.walk(root):
        for file in files:
            if file.endswith(".ko"):
                found[file[:-3].replace("-", "_")] = os.path.join(directory, file)
    order = {}

    def need(name):
        name = name.replace("-", "_")
        if name in order:
            return
        if name not in found:
            raise SystemExit(f"rival: {package} has no module {name}")
        depends = re.search(rb"\0depends=([^\0]*)\0", packages.read(found[name])).group(1).decode()
        for other in filter(None, depends.split(",")):
            need(other)
        order[name] = found[name]

    for name in names:
        need(name)
    return list(order.items())


def add_modules(archive, package, names):
    """The modules as /modules/NN-name.ko: their sorted order is the loading order."""
    for number, (name, path) in enumerate(module_files(package, names)):
        archive.add(f"modules/{number:02}-{name}.ko", packages.read(path))
