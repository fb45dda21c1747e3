# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""What the ELF32 container must know of the flat image: `nm` on standard input, the image's name as argument."""
import os
import sys

IMAGE_START = 0xFFFF828000000000
IMAGE_PHYS = 0x200000


def main():
    symbols = {fields[2]: int(fields[0], 16) for fields in map(str.split, sys.stdin) if len(fields) == 3}
    flat = sys.argv[1]
    print(f'#define IMAGE_FILE "{flat}"')
    print(f"#define IMAGE_ENTRY {symbols['boot_entry32'] - IMAGE_START + IMAGE_PHYS:#x}")
    print(f"#define IMAGE_BSS {symbols['_image_end'] - IMAGE_START - os.path.getsize(flat):#x}")


main()
