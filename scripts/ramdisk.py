#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Packs dom0's RAM disk: ramdisk.py OUTPUT NAME=FILE... [--directory NAME=DIRECTORY]

A ustar archive whose bytes depend on the contents alone: sorted names, no times, no owners. Linux boot images go in as
what dom0's builder can unpack; a damaged one ends the packing, and no archive is left. A file that its owner may not
write stays read-only: as a disk image, guests cannot write it. A large one that is mostly zeros, as a blank disk is,
goes in with holes (GNU tar's type S). OUTPUT.memory gets the MiB that dom0 should have with it all.
"""

import io
import os
import sys
import tarfile
import zlib

import bzimage

DOM0_MIB = 96  # what dom0 needs beside its RAM disk and the kernel it unpacks
ROUND_MIB = 16
MIB = 1 << 20
GRAIN = 4096
STRETCHES = 4  # what the header of a file with holes describes
SPARSE_FROM, SPARSE_MOST = MIB, 512 * MIB  # the most that dom0 fills with zeros for one file
NAME_MOST = 100  # bytes that the header of a file with holes has for its name


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
        if not os.path.isdir(path):
            sys.exit(f"{path}: there is no such directory")
        for base, _, files in os.walk(path):
            for file in files:
                full = os.path.join(base, file)
                entries[os.path.join(name, os.path.relpath(full, path))] = full
    return entries


def add_plain(archive, info, path, file=None):
    try:
        archive.addfile(info, file)
    except ValueError as error:
        sys.exit(f"{path}: it does not fit into a tar archive as {info.name}: {error}")


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
        add_plain(archive, info, name)


def gzip_kernel_size(data):
    """Of an ELF kernel packed with gzip, which ends with its unpacked size; 0 for anything else."""
    try:
        if data[:3] != b"\x1f\x8b\x08" or zlib.decompressobj(31).decompress(data, 4) != b"\x7fELF":
            return 0
    except zlib.error:
        return 0
    return min(int.from_bytes(data[-4:], "little"), bzimage.UNPACKED_LIMIT)


def contents(path):
    """(bytes to pack, what they may become when the builder unpacks them)."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    if bzimage.is_bzimage(data):
        try:
            return bzimage.for_builder(data)
        except bzimage.BadImage as error:
            sys.exit(f"{path}: a Linux boot image that cannot be used: {error}")
    return data, gzip_kernel_size(data)


def stretches(data):
    """The parts of a file that are not zero, as (offset, size); None when it has no holes worth describing."""
    found = []
    zero = bytes(GRAIN)
    for offset in range(0, len(data), GRAIN):
        grain = data[offset : offset + GRAIN]
        if grain == zero[: len(grain)]:
            continue
        if found and sum(found[-1]) == offset:
            found[-1] = (found[-1][0], found[-1][1] + len(grain))
        elif len(found) == STRETCHES:
            return None
        else:
            found.append((offset, len(grain)))
    return found if sum(size for _, size in found) <= len(data) // 2 else None


def add_sparse(archive, info, data, found):
    """The stretches' places and the whole size lie in the header, where GNU tar has them."""
    info.type, info.size = tarfile.GNUTYPE_SPARSE, sum(size for _, size in found)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for number, place in enumerate((*found, (len(data), 0))[:STRETCHES]):
        for field, value in enumerate(place):
            start = 386 + 24 * number + 12 * field
            header[start : start + 12] = b"%011o\0" % value
    header[483:495] = b"%011o\0" % len(data)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    packed = b"".join(data[offset : offset + size] for offset, size in found)
    archive.fileobj.write(header + packed + bytes(-len(packed) % tarfile.BLOCKSIZE))
    archive.offset = archive.fileobj.tell()


def holes_of(name, path, data):
    """The stretches of a file that goes in with holes; None for one that goes in as it is."""
    if len(data) < SPARSE_FROM or len(os.fsencode(name)) > NAME_MOST:
        return None
    found = stretches(data)
    if found is not None and len(data) > SPARSE_MOST:
        sys.exit(f"{path}: {len(data) // MIB} MiB, mostly zeros, would be memory of dom0, which holds "
                 f"{SPARSE_MOST // MIB} MiB in one such file at most; make run DISK={path} gives it to the machine as /dev/vda instead")
    return found


def add(archive, info, path, data):
    """The size of what has holes, or 0."""
    found = holes_of(info.name, path, data)
    if found is not None:
        add_sparse(archive, info, data, found)
        return len(data)
    add_plain(archive, info, path, io.BytesIO(data))
    return 0


def pack(output, entries):
    """What dom0 needs beside the archive: for the holes, and for unpacking the largest kernel."""
    largest = holes = 0
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as archive:
        add_directories(archive, entries)
        for name in sorted(entries):
            data, unpacked = contents(entries[name])
            largest = max(largest, unpacked)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644 if os.stat(entries[name]).st_mode & 0o200 else 0o444
            holes += add(archive, info, entries[name], data)
    return largest + holes


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    output = sys.argv[1]
    unfinished = f"{output}.part"
    try:
        more = pack(unfinished, collect(sys.argv[2:]))
        need = DOM0_MIB * MIB + os.path.getsize(unfinished) + more
        with open(f"{output}.memory", "w", encoding="ascii") as file:
            file.write(f"{-(-need // (ROUND_MIB * MIB)) * ROUND_MIB}\n")
        os.replace(unfinished, output)
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)


main()
