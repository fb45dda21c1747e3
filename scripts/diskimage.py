#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a disk image with an ext2 file system: diskimage.py OUTPUT SPARE_KIB LABEL [NAME=FILE ...]

As large as its files need, and SPARE_KIB more. The bytes depend on the contents alone. A Linux boot image goes in as the
ELF kernel that is in it, packed with gzip, which boot loaders of every kind can read.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile

import bzimage

BLOCK_KIB = 4
FIXED_TIME = "1700000000"
FIXED_UUID = "9f1c3f57-7f0c-4d5e-8a60-0b9ad3f1d2c4"


def place(source, target):
    """Copies one file; returns the KiB it takes in whole blocks."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(source, "rb") as file:
        data = file.read()
    if bzimage.is_bzimage(data):
        data = gzip.compress(bzimage.unwrap(data)[1], 6, mtime=0)
    with open(target, "wb") as file:
        file.write(data)
    os.utime(target, (int(FIXED_TIME), int(FIXED_TIME)))
    return -(-len(data) // (BLOCK_KIB * 1024)) * BLOCK_KIB


def make(output, spare, label, root, files):
    """Metadata of ext2 is less than a twentieth of the data here."""
    used = sum(place(source, os.path.join(root, name)) for name, source in files)
    size = -(-(used + used // 20 + spare + 256) // BLOCK_KIB) * BLOCK_KIB
    environment = {**os.environ, "E2FSPROGS_FAKE_TIME": FIXED_TIME, "SOURCE_DATE_EPOCH": FIXED_TIME,
                   "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    with open(output, "wb") as file:
        file.truncate(size * 1024)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-m", "0", "-L", label, "-U", FIXED_UUID,
                    "-E", f"hash_seed={FIXED_UUID},root_owner=0:0", "-d", root, output],
                   check=True, env=environment)


def main():
    output, spare, label = sys.argv[1:4]
    files = [argument.split("=", 1) for argument in sys.argv[4:]]
    unfinished = f"{output}.part"
    root = tempfile.mkdtemp()
    try:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        make(unfinished, int(spare), label, root, files)
        os.replace(unfinished, output)
    except bzimage.BadImage as error:
        sys.exit(f"{output}: {error}")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
