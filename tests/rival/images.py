# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""What a rival machine boots: genuine Xen, a Linux dom0 with Xen's own tools, and Linux guests.

Everything is unpacked from Debian's packages into the build cache; nothing is installed on the building machine.
"""
import functools
import gzip
import os
import re
import shutil
import subprocess
import sys

import packages
from archive import Archive, add_modules

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "scripts"))
import bzimage  # noqa: E402  the packer's own reader of boot images
XEN = "xen-hypervisor-4.17-amd64"
TOOLS = ["xen-utils-4.17", "xen-utils-common", "xenstore-utils"]
LIBRARIES = ["libxenmisc4.17", "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
             "libxengnttab1", "libxenhypfs1", "libxenstore4", "libxentoolcore1", "libxentoollog1", "libyajl2", "libc6",
             "libgcc-s1", "libtinfo6", "libuuid1", "zlib1g", "liblzma5", "libzstd1", "libsmartcols1"]
PROGRAMS = {"xen-utils-4.17": [f"usr/lib/xen-4.17/bin/{name}" for name in
                               ("xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "xen-cpuid",
                                "lsevtchn", "xenctx", "libxl-save-helper")],
            "xenstore-utils": ["usr/bin/xenstore"],
            # What Xen's hotplug scripts need beyond busybox.
            "bash": ["bin/bash"], "util-linux": ["usr/bin/flock"], "mount": ["sbin/losetup"]}
DOM0_MODULES = ["xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs", "xen-blkback", "xen-netback",
                "bridge", "loop", "brd", "virtio_pci", "virtio_blk", "virtio_net"]
GUEST_MODULES = ["xen-blkfront", "xen-netfront"]
CLOUD, GENERIC = "linux-image-cloud-amd64", "linux-image-amd64"


@functools.cache
def kernel_package(flavour):
    return packages.versioned_kernel(flavour)


def kernel(flavour=CLOUD):
    """The path of Debian's kernel as its package ships it."""
    return packages.find(kernel_package(flavour), "boot/vmlinuz-*")


def unpacked_kernel(flavour):
    """The path of the ELF file in it: what a builder of dom0 that unpacks nothing takes."""
    path = os.path.join(packages.CACHE, f"vmlinux-{flavour}")
    if not os.path.exists(path):
        with open(path + ".new", "wb") as file:
            file.write(bzimage.unwrap(packages.read(kernel(flavour)))[1])
        os.rename(path + ".new", path)
    return path


def xen():
    """The path of genuine Xen, unpacked: QEMU's loader takes no gzip."""
    path = os.path.join(packages.CACHE, "xen")
    if not os.path.exists(path):
        with gzip.open(packages.find(XEN, "boot/xen-4.17-amd64.gz")) as packed, open(path + ".new", "wb") as file:
            shutil.copyfileobj(packed, file)
        os.rename(path + ".new", path)
    return path


def needed(path):
    """The names of the shared libraries that an ELF file asks for."""
    output = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output)


def add_libraries(archive, programs, owners):
    """The shared libraries that the programs need, from the packages that own them, and the dynamic loader."""
    found = {}
    for package in owners:
        for directory, _, files in os.walk(packages.tree(package)):
            found.update({name: os.path.join(directory, name) for name in files if ".so" in name})
    # The thread library opens the one for unwinding by itself.
    names = ["libgcc_s.so.1", *(name for program in programs for name in needed(program))]
    done = set()
    while names:
        name = names.pop()
        if name in done:
            continue
        done.add(name)
        if name not in found:
            raise SystemExit(f"rival: no package listed here has the library {name}: {' '.join(owners)}")
        path = os.path.realpath(found[name])
        archive.add(f"usr/lib/x86_64-linux-gnu/{name}", packages.read(path), 0o755)
        names += needed(path)
    archive.add("lib64/ld-linux-x86-64.so.2", packages.read(found["ld-linux-x86-64.so.2"]), 0o755)


def base(init):
    archive = Archive()
    archive.add("init", packages.read(os.path.join(HERE, init)), 0o755)
    archive.add("bin/busybox", packages.read(packages.find("busybox-static", "bin/busybox")), 0o755)
    return archive


def dom0():
    """The archive of dom0: Xen's tools and daemons, what they need, and the backends of Debian's kernel."""
    archive = base("dom0-init")
    for package in TOOLS:
        root = packages.tree(package)
        for directory in ("etc/xen", "etc/default", "usr/lib/xen-common", "usr/sbin", "usr/bin"):
            if os.path.isdir(os.path.join(root, directory)):
                archive.copy(root, directory)
    programs = []
    for package, names in PROGRAMS.items():
        for name in names:
            archive.copy(packages.tree(package), name)
            programs.append(os.path.join(packages.tree(package), name))
    add_libraries(archive, programs, LIBRARIES + ["xen-utils-4.17"])
    add_modules(archive, kernel_package(GENERIC), DOM0_MODULES)
    archive.add("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    archive.add("etc/group", b"root:x:0:\n")
    return archive


def guest(script=None, files=(), archive=None):
    """The packed archive of a Linux guest; files are (name, contents) and executable. It may be begun by the caller."""
    archive = archive or base("guest-init")
    add_modules(archive, kernel_package(CLOUD), GUEST_MODULES)
    if script:
        archive.add("script", script.encode(), 0o755)
    for name, contents in files:
        archive.add(name, contents, 0o755)
    return gzip.compress(archive.bytes(), 6, mtime=0)


def dom0_base():
    """The path of dom0's archive, made once for one state of these scripts."""
    path = os.path.join(packages.CACHE, "dom0.cpio")
    sources = [os.path.join(HERE, name) for name in ("images.py", "archive.py", "dom0-init")]
    if not os.path.exists(path) or any(os.path.getmtime(name) > os.path.getmtime(path) for name in sources):
        os.makedirs(packages.CACHE, exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(dom0().bytes())
        os.rename(path + ".new", path)
    return path


def dom0_with(path, files, script=None):
    """Writes dom0's initial RAM disk with more files (name to contents); the kernel unpacks one archive after the other."""
    archive = Archive()
    for name, contents in files.items():
        archive.add(name, contents if isinstance(contents, bytes) else contents.encode())
    if script:
        archive.add("script", script.encode(), 0o755)
    with open(path, "wb") as file:
        file.write(packages.read(dom0_base()))
        file.write(archive.bytes())
    return path
