# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Boot images: every packing gives the kernel back, byte for byte, and no damage goes unnoticed."""
import os
import random
import struct

import pytest

import bzimage
import images

KERNEL = images.kernel()
DEBIAN = os.path.join(os.environ.get("BUILD", "build"), "cache/linux/vmlinuz")


@pytest.fixture(scope="module", params=images.PACKERS)
def packing(request):
    return request.param


@pytest.fixture(scope="module")
def image(packing):
    return images.wrap(images.pack(KERNEL, packing))


def refused(data):
    with pytest.raises(bzimage.BadImage) as caught:
        bzimage.unwrap(data)
    assert str(caught.value).startswith("offset 0x")
    return str(caught.value)


def test_every_packing(packing, image):
    """A filter or a trailer forgotten (xz's x86 filter, the size behind the data) would change bytes of the kernel."""
    assert bzimage.is_bzimage(image)
    assert bzimage.unwrap(image) == (packing, KERNEL)


def test_what_the_builder_gets(packing, image):
    """dom0's builder knows gzip and LZ4: anything else has to reach it as one of these."""
    data, size = bzimage.for_builder(image)
    assert size == len(KERNEL)
    if packing in ("gzip", "lz4"):
        assert data == image
    else:
        assert data[-4:] == struct.pack("<I", len(KERNEL)) and images.tool("lz4", "-dc")(data[:-4]) == KERNEL


def test_truncated(image):
    """A download that broke off: wherever it did, the file is refused."""
    source = random.Random(1)
    for size in [0x250, 0x1000, len(image) - 1, *(source.randrange(0x250, len(image)) for _ in range(40))]:
        assert "truncated" in refused(image[:size])


def test_flipped_bits(image):
    """One bit anywhere in the packed kernel: nothing is packed half or wrong."""
    source = random.Random(2)
    start, length = bzimage.find_payload(image)
    for _ in range(60):
        damaged = bytearray(image)
        damaged[source.randrange(start, start + length)] ^= 1 << source.randrange(8)
        refused(bytes(damaged))


def test_flipped_bits_outside_the_kernel(packing, image):
    """The code around the packed kernel never runs here: damage there may pass, but not change a byte of the kernel."""
    source = random.Random(4)
    start, _ = bzimage.find_payload(image)
    for _ in range(60):
        damaged = bytearray(image)
        damaged[source.randrange(0x206, start)] ^= 1 << source.randrange(8)
        try:
            assert bzimage.unwrap(bytes(damaged)) == (packing, KERNEL)
        except bzimage.BadImage:
            pass


def test_damage_under_a_right_checksum(image):
    """The checksum alone is not trusted: what does not unpack to the size that is claimed is refused by itself."""
    start, length = bzimage.find_payload(image)
    for at, reason in ((start + length - 4, "should give|impossible|be unpacked"), (start, "unknown way|be unpacked")):
        damaged = bytearray(image)
        damaged[at] ^= 0x55
        with pytest.raises(bzimage.BadImage, match=reason):
            bzimage.unwrap(images.seal(bytes(damaged)))


def test_payload_that_is_no_kernel(packing):
    """Right in every other way."""
    assert "no ELF kernel" in refused(images.wrap(images.pack(bytes(5000), packing)))
    broken = bytearray(KERNEL)
    struct.pack_into("<Q", broken, 32, len(KERNEL))
    assert "program headers" in refused(images.wrap(images.pack(bytes(broken), packing)))


def test_old_protocol_and_unknown_packing():
    """Before 2.08 the header does not say where the payload is; LZO is known to Linux and not to us."""
    image = bytearray(images.wrap(images.pack(KERNEL, "gzip")))
    struct.pack_into("<H", image, 0x206, 0x207)
    assert "boot protocol 2.07" in refused(bytes(image))
    assert "unknown way" in refused(images.wrap(b"\x89LZO\0\r\n\x1a\n" + bytes(100)))


def test_payload_outside_the_file():
    """An offset or a length that points past the end must not read there."""
    for field in (0x248, 0x24C):
        image = bytearray(images.wrap(images.pack(KERNEL, "gzip")))
        struct.pack_into("<I", image, field, 0xFFFFFFF0)
        assert "payload is said to lie" in refused(bytes(image))


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("unchecked", bzimage.UNCHECKED_PACKINGS)
def test_signed(unchecked, width):
    """Debian signs its kernels, which voids the checksum: then the digest in the signature is what has to match."""
    image = images.wrap(images.pack(KERNEL, unchecked))
    signed = images.sign(image, width)
    assert bzimage.unwrap(signed)[1] == KERNEL
    assert "truncated" in refused(signed[:-1])
    source = random.Random(3)
    for _ in range(20):
        damaged = bytearray(signed)
        damaged[source.randrange(0x400, len(image))] ^= 1
        refused(bytes(damaged))
    damaged = bytearray(signed)
    damaged[0x500] ^= 1
    assert "signature" in refused(bytes(damaged))


def test_kernel_without_a_checksum(packing):
    """Linux 6.16 and later have no checksum: an older kernel without a right one is damaged, a newer one is not."""
    image = bytearray(images.wrap(images.pack(KERNEL, packing)))
    struct.pack_into("<H", image, 0x20E, 0x100)
    for text, good in ((b"6.15.9-x", packing not in bzimage.UNCHECKED_PACKINGS), (b"6.16.0-x", True), (b"7.1", True)):
        image[0x300:0x310] = text.ljust(16, b"\0")
        if good:
            assert bzimage.unwrap(bytes(image))[1] == KERNEL
        else:
            assert "checksum" in refused(bytes(image))


def test_debians_own():
    """The kernel the set-up step fetched, whole and damaged."""
    if not os.path.exists(DEBIAN):
        pytest.skip("the set-up step could not fetch Debian's kernel")
    with open(DEBIAN, "rb") as file:
        data = file.read()
    assert bzimage.unwrap(data)[1][:4] == b"\x7fELF"
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 4
    assert "signature" in refused(bytes(damaged))
