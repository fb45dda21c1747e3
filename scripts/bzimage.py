# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Linux's boot images (bzImage): the ELF kernel inside, whatever it is packed with.

An image is taken whole or refused with the offset and the reason. The unpacked size that follows the payload and the
ELF headers have to be right, and every byte of the kernel is held to a checksum: its packing's own or, since LZ4 and
LZMA have none, the image's, or the digest in its signature.
"""

import bz2
import hashlib
import lzma
import re
import shutil
import struct
import subprocess
import zlib

SETUP_SECTORS, SYSTEM_SIZE, MAGIC, VERSION, PAYLOAD = 0x1F1, 0x1F4, 0x202, 0x206, 0x248
HEADER_END = 0x250
OLDEST_VERSION = 0x208  # the first to say where the payload is
UNPACKED_LIMIT = 512 << 20
KERNEL_VERSION = 0x20E  # points to a text, from 0x200 on
NO_CHECKSUM_FROM = (6, 16)  # Linux's build computes none any more
PE_MAGIC, PE_CHECKSUM, PE_CERTIFICATES = 24, 88, 4  # from the PE signature on; the fourth of the directories
PE_DIRECTORIES = {0x10B: 120, 0x20B: 136}  # by the magic: of a 32-bit image, of a 64-bit one


class BadImage(Exception):
    """What is wrong and where."""

    def __init__(self, offset, reason):
        super().__init__(f"offset {offset:#x}: {reason}")


def is_bzimage(data):
    return len(data) >= HEADER_END and data[MAGIC : MAGIC + 4] == b"HdrS"


def little32(data, offset):
    return struct.unpack_from("<I", data, offset)[0]


def setup_bytes(data):
    return ((data[SETUP_SECTORS] or 4) + 1) * 512


def signature(data):
    """The signature and the digest it vouches for, which leaves out what signing writes; None for an unsigned image."""
    at = little32(data, 0x3C)
    if at + 256 > len(data) or data[at : at + 4] != b"PE\0\0":
        return None
    directories = PE_DIRECTORIES.get(struct.unpack_from("<H", data, at + PE_MAGIC)[0])
    if directories is None:
        return None
    entry = at + directories + 8 * PE_CERTIFICATES
    start, size = struct.unpack_from("<II", data, entry)
    if start == 0:
        return None
    if start + size > len(data):
        raise BadImage(entry, f"the signature ends at {start + size:#x}, the file at {len(data):#x}: truncated")
    covered = data[: at + PE_CHECKSUM] + data[at + PE_CHECKSUM + 4 : entry] + data[entry + 8 : start]
    return data[start : start + size], hashlib.sha256(covered).digest()


def kernel_version(data):
    """(6, 1) of "6.1.0-56-amd64 ..."; (0, 0) when the header names none."""
    at = 0x200 + struct.unpack_from("<H", data, KERNEL_VERSION)[0]
    found = re.match(rb"(\d+)\.(\d+)", data[at : at + 32])
    return (int(found[1]), int(found[2])) if found and at > 0x200 else (0, 0)


def check_whole(data):
    end = setup_bytes(data) + 16 * little32(data, SYSTEM_SIZE)
    if end > len(data):
        raise BadImage(SYSTEM_SIZE, f"the image claims {end} bytes and the file has {len(data)}: truncated")
    return end


def check_contents(data):
    """Signing changes an image, so a signed one is held to its signature's digest and any other to its checksum."""
    end = check_whole(data)
    signed = signature(data)
    if signed is not None:
        if signed[1] not in signed[0]:
            raise BadImage(0, "the contents do not match the digest in the image's signature: damaged")
    elif kernel_version(data) < NO_CHECKSUM_FROM and zlib.crc32(data[:end]) != 0xFFFFFFFF:
        raise BadImage(end - 4, "the contents do not match the image's checksum: damaged")


def find_payload(data):
    """(offset, length) of the packed kernel."""
    version = struct.unpack_from("<H", data, VERSION)[0]
    if version < OLDEST_VERSION:
        raise BadImage(VERSION, f"boot protocol {version >> 8}.{version & 255:02}: 2.08 (Linux 2.6.26) is needed")
    offset, length = struct.unpack_from("<II", data, PAYLOAD)
    start = setup_bytes(data) + offset
    if length < 8 or start + length > len(data):
        raise BadImage(PAYLOAD, f"the payload is said to lie at {start:#x} to {start + length:#x}, the file has "
                                f"{len(data):#x} bytes: truncated")
    return start, length


def run_tool(*command):
    """A function that gives bytes to a program and returns what it makes of them."""

    def run(data):
        if shutil.which(command[0]) is None:
            raise ValueError(f"the program {command[0]} is missing; make setup installs it")
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        if done.returncode != 0:
            raise ValueError((done.stderr.decode(errors="replace").strip().splitlines() or ["failed"])[-1])
        return done.stdout

    return run


def library(make):
    """An unpacking function over a decompressor object of the standard library."""

    def unpack(packed):
        decompressor = make()
        data = decompressor.decompress(packed, UNPACKED_LIMIT)
        if not decompressor.eof:
            raise ValueError("the packed data end too early")
        return data

    return unpack


# name, first bytes, function, whether the unpacked size follows the packed data (gzip's own last bytes are the size)
PACKINGS = (
    ("gzip", b"\x1f\x8b\x08", library(lambda: zlib.decompressobj(31)), False),
    ("xz", b"\xfd7zXZ\0", library(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)), True),
    ("lzma", b"\x5d\0\0", library(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)), True),
    ("bzip2", b"BZh", library(bz2.BZ2Decompressor), True),
    ("lz4", b"\x02\x21\x4c\x18", run_tool("lz4", "-dc"), True),
    ("zstd", b"\x28\xb5\x2f\xfd", run_tool("zstd", "-dcq", "--long=31"), True),
)
UNCHECKED_PACKINGS = ("lz4", "lzma")


def unpack_payload(data, start, length):
    """(name of the packing, contents)."""
    end = start + length
    size = little32(data, end - 4)
    for name, magic, unpack, sized in PACKINGS:
        if data[start : start + len(magic)] != magic:
            continue
        if size > UNPACKED_LIMIT:
            raise BadImage(end - 4, f"an unpacked size of {size} bytes is impossible")
        try:
            kernel = unpack(data[start : end - 4 if sized else end])
        except (ValueError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
            raise BadImage(start, f"the {name} data cannot be unpacked: {error}") from None
        if len(kernel) != size:
            raise BadImage(end - 4, f"the {name} data unpack to {len(kernel)} bytes and should give {size}")
        return name, kernel
    known = ", ".join(packing[0] for packing in PACKINGS)
    raise BadImage(start, f"packed in an unknown way (first bytes {data[start:start + 4].hex()}); known are {known}")


def check_elf(kernel, start):
    if kernel[:4] != b"\x7fELF" or len(kernel) < 64 or kernel[4] not in (1, 2):
        raise BadImage(start, "what is packed there is no ELF kernel")
    layout = ("<I", 28, "<HH", 42) if kernel[4] == 1 else ("<Q", 32, "<HH", 54)
    offset = struct.unpack_from(layout[0], kernel, layout[1])[0]
    size, count = struct.unpack_from(layout[2], kernel, layout[3])
    if count == 0 or offset + size * count > len(kernel):
        raise BadImage(start, "the program headers of the ELF kernel packed there lie outside it")


def unwrap(data):
    """(name of the packing, the ELF kernel); BadImage otherwise."""
    start, length = find_payload(data)
    check_whole(data)
    name, kernel = unpack_payload(data, start, length)
    if name in UNCHECKED_PACKINGS:
        check_contents(data)
    check_elf(kernel, start)
    return name, kernel


def for_builder(data):
    """(bytes, size of the kernel in them) for dom0's builder, which knows gzip and LZ4: the rest is packed anew."""
    name, kernel = unwrap(data)
    if name in ("gzip", "lz4"):
        return data, len(kernel)
    try:
        packed = run_tool("lz4", "-l", "-9", "-c")(kernel)
    except ValueError as error:
        raise BadImage(0, f"it cannot be packed with lz4: {error}") from None
    return packed + struct.pack("<I", len(kernel)), len(kernel)
