#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Genuine Xen with options that Debian's binary lacks, a measuring tool, built from Debian's source package below the
build cache; nothing is installed. `shadow`: shadow paging, without which it cannot live-migrate a PV guest. `pv32`:
Debian's own configuration with 32-bit PV guests added, for what those cost there. The newest package may be gone from
the mirror before its index is: then the next older one of the same series is taken.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

import packages

SERIES = "4.17."
TOOLS = ["bison", "flex", "m4"]
DEBIAN_CONFIG = "/boot/xen-4.17-amd64.config"
OPTIONS = {"shadow": "CONFIG_SHADOW_PAGING", "pv32": "CONFIG_PV32"}
JOBS = 2


def private_apt(directory):
    """The options of an apt that knows the sources of the suites this machine knows, and keeps its lists to itself."""
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        os.makedirs(f"{directory}/{name}", exist_ok=True)
    suites = packages.run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                          "Created-By: Packages")
    with open(f"{directory}/sources.list", "w", encoding="utf-8") as file:
        for suite in sorted(set(suites.splitlines())):
            file.write(f"deb-src {suite}\n")
    options = {"Dir::Etc::SourceList": f"{directory}/sources.list", "Dir::Etc::SourceParts": f"{directory}/parts",
               "Dir::State::Lists": f"{directory}/lists", "Dir::Cache": f"{directory}/cache"}
    return [word for key, value in options.items() for word in ("-o", f"{key}={os.path.abspath(value)}")]


def fetch(directory):
    """Fetches and unpacks the source; the path of its hypervisor."""
    apt = private_apt(f"{directory}/apt")
    packages.run("apt-get", *apt, "update")
    known = packages.run("apt-cache", *apt, "showsrc", "--only-source", "xen")
    versions = [version for version in re.findall(r"^Version: (\S+)$", known, re.M) if version.startswith(SERIES)]
    for version in sorted(set(versions), reverse=True):
        done = subprocess.run(["apt-get", *apt, "source", "--download-only", f"xen={version}"], cwd=directory,
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        print(f"rival: the source of xen {version} cannot be had")
    else:
        sys.exit(f"rival: no source of xen {SERIES}* can be had: {' '.join(versions) or 'none is known'}")
    [description] = glob.glob(f"{directory}/*.dsc")
    packages.run("dpkg-source", "--skip-patches", "-x", os.path.basename(description), "tree", cwd=directory)
    return f"{directory}/tree/xen"


def configure(source, kind, make, environment):
    """Debian's configuration, or the source's own for what is measured beside shadow paging, with the option set."""
    packages.run(*make, "defconfig", env=environment)
    if kind == "pv32" and os.path.exists(DEBIAN_CONFIG):
        shutil.copyfile(DEBIAN_CONFIG, f"{source}/.config")
    with open(f"{source}/.config", "a", encoding="utf-8") as file:
        file.write(f"{OPTIONS[kind]}=y\n# CONFIG_DEBUG is not set\n")
    packages.run(*make, "olddefconfig", env=environment)
    if f"{OPTIONS[kind]}=y".encode() not in packages.read(f"{source}/.config"):
        sys.exit(f"rival: this Xen's configuration knows no {OPTIONS[kind]}")


def build(source, kind):
    roots = [os.path.abspath(packages.tree(tool)) for tool in TOOLS]
    environment = {**os.environ, "PATH": ":".join([*(f"{root}/usr/bin" for root in roots), os.environ["PATH"]]),
                   "BISON_PKGDATADIR": f"{roots[0]}/usr/share/bison", "M4": f"{roots[2]}/usr/bin/m4"}
    # What the make that runs this tells its own jobs is not for the other's.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
        environment.pop(name, None)
    make = ["nice", "make", "-C", source, f"PYTHON={sys.executable}"]
    configure(source, kind, make, environment)
    packages.run(*make, f"-j{JOBS}", "build", env=environment)
    return f"{source}/xen"


def image(kind):
    """The path of that hypervisor; made on first use, in some minutes."""
    path = os.path.join(packages.CACHE, f"xen-{kind}")
    if not os.path.exists(path):
        directory = path + ".build"
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        shutil.copyfile(build(fetch(directory), kind), path + ".new")
        os.rename(path + ".new", path)
        shutil.rmtree(directory)
    return path


if __name__ == "__main__":
    print(image(sys.argv[1]))
