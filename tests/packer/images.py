# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Linux boot images as its build makes them, around a small ELF kernel."""
import bz2
import gzip
import hashlib
import lzma
import random
import struct
import subprocess
import zlib

KERNEL_SIZE = 200_000
SETUP_SECTORS = 3
PAYLOAD_OFFSET = 0x2C0


def kernel():
    """ELF64 headers, then contents that pack neither too well nor too badly."""
    header = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 2, 62, 1, 0x1000000, 64, 0, 0, 64, 56, 1, 0, 0,
                         0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0xFFFFFFFF81000000, 0x1000000, KERNEL_SIZE - 0x1000,
                          KERNEL_SIZE - 0x1000, 0x1000)
    source = random.Random(7)
    words = [source.randbytes(source.randrange(3, 40)) for _ in range(400)]
    body = b"".join(source.choice(words) for _ in range(KERNEL_SIZE // 10))
    return (header + segment + body)[:KERNEL_SIZE]


def tool(*command):
    return lambda data: subprocess.run(command, input=data, capture_output=True, check=True).stdout


XZ_FILTERS = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 6}]
PACKERS = {
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=XZ_FILTERS),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "lz4": tool("lz4", "-l", "-9", "-c"),
    "zstd": tool("zstd", "-22", "--ultra", "-c"),
}


def pack(data, packing):
    """The payload as Linux's build appends the size: of all but gzip, which has it already."""
    packed = PACKERS[packing](data)
    return packed if packing == "gzip" else packed + struct.pack("<I", len(data))


def wrap(payload):
    """A boot image around a payload, unsigned: its last four bytes make its checksum come out."""
    system = bytearray(PAYLOAD_OFFSET) + payload
    system += bytes(-(len(system) + 4) % 16)
    setup = bytearray((SETUP_SECTORS + 1) * 512)
    setup[0x1F1] = SETUP_SECTORS
    struct.pack_into("<I", setup, 0x1F4, (len(system) + 4) // 16)
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, 0x20F)
    struct.pack_into("<II", setup, 0x248, PAYLOAD_OFFSET, len(payload))
    return seal(bytes(setup + system) + bytes(4))


def seal(image):
    """The image with a last word that makes the checksum right again."""
    return image[:-4] + struct.pack("<I", zlib.crc32(image[:-4]) ^ 0xFFFFFFFF)


def sign(image, width=64):
    """The image with a PE header and a signature as far as the packer looks: the digest somewhere in it."""
    image = bytearray(image)
    header = 0x80
    struct.pack_into("<I", image, 0x3C, header)
    image[header : header + 4] = b"PE\0\0"
    struct.pack_into("<H", image, header + 24, 0x20B if width == 64 else 0x10B)
    entry = header + (136 if width == 64 else 120) + 8 * 4
    digest = hashlib.sha256(image[: header + 88] + image[header + 92 : entry] + image[entry + 8 :]).digest()
    struct.pack_into("<II", image, entry, len(image), 96)
    return bytes(image) + b"\x30\x82" + bytes(30) + digest + bytes(32)
