# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages as files: fetched once, unpacked below the build cache, never installed."""
import glob
import os
import re
import shutil
import subprocess
import sys

CACHE = os.path.join(os.environ.get("BUILD", "build"), "cache", "rival")


def run(*command, **options):
    """The output of a command; its own words and an end if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"rival: {' '.join(command)} failed:\n{done.stderr[-800:]}\n"
                 "The rival machine is made of Debian packages; `apt-get update` as root makes them known.")
    return done.stdout


def versioned_kernel(package):
    """The package that a kernel metapackage such as linux-image-amd64 stands for."""
    match = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", package))
    if not match:
        sys.exit(f"rival: {package} names no kernel; is it known to apt-cache?")
    return match.group(1)


def tree(package):
    """The directory that holds the package's files; fetched on first use."""
    directory = os.path.join(CACHE, "packages", package)
    if os.path.isdir(directory):
        return directory
    download = directory + ".download"
    shutil.rmtree(download, ignore_errors=True)
    os.makedirs(download)
    run("apt-get", "download", package, cwd=download)
    [archive] = glob.glob(f"{download}/*.deb")
    run("dpkg-deb", "-x", archive, f"{download}/root")
    os.rename(f"{download}/root", directory)
    shutil.rmtree(download)
    return directory


def find(package, pattern):
    """The one file of the package that the pattern, relative to its root, means."""
    matches = sorted(glob.glob(os.path.join(tree(package), pattern)))
    if not matches:
        sys.exit(f"rival: package {package} has no file {pattern}")
    return matches[-1]


def read(path):
    with open(path, "rb") as file:
        return file.read()
