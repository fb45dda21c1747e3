#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Packs dom0's RAM disk: ramdisk.py OUTPUT NAME=FILE... [--directory NAME=DIRECTORY]

A ustar archive whose bytes depend on the contents alone: sorted names, no times, no owners. A file that its owner may
not write stays read-only: as a disk image, guests cannot write it.
"""

import os
import sys
import tarfile


def collect(arguments):
    entries = {}
    directory = False
    for argument in arguments:
        if argument == "--directory":
            directory = True
            continue
        name, _, path = argument.partition("=")
        if not directory:
            entries[name] = path
            continue
        for base, _, files in os.walk(path):
            for file in files:
                full = os.path.join(base, file)
                entries[os.path.join(name, os.path.relpath(full, path))] = full
    return entries


def add_directories(archive, names):
    directories = set()
    for name in names:
        while "/" in name:
            name = name.rsplit("/", 1)[0]
            directories.add(name)
    for name in sorted(directories):
        info = tarfile.TarInfo(name)
        info.type = tarfile.DIRTYPE
        info.mode = 0o555
        archive.addfile(info)


def main():
    output, entries = sys.argv[1], collect(sys.argv[2:])
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as archive:
        add_directories(archive, entries)
        for name in sorted(entries):
            info = tarfile.TarInfo(name)
            info.size = os.path.getsize(entries[name])
            info.mode = 0o644 if os.stat(entries[name]).st_mode & 0o200 else 0o444
            with open(entries[name], "rb") as file:
                archive.addfile(info, file)


main()
