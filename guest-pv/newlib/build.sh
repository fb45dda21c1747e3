#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds Debian's newlib for one width: build.sh PREFIX HOST MACHINE-FLAGS TARBALL. Only libc, libm and headers stay.
set -eu

prefix=$1 host=$2 machine=$3 tarball=$4
if [ ! -f "$tarball" ]; then
    echo "newlib: no /usr/src/newlib/newlib-*.tar.xz here; install the package newlib-source" >&2
    exit 1
fi

rm -rf "$prefix"
mkdir -p "$prefix/work/source" "$prefix/work/build"
tar -xJf "$tarball" -C "$prefix/work/source" --strip-components=1
cd "$prefix/work/build"

fail()
{
    tail -n 30 "$1" >&2
    echo "newlib: $2 failed; the whole output is in $prefix/work/build/$1" >&2
    exit 1
}

export CC="gcc $machine" AR=ar AS=as RANLIB=ranlib
export CFLAGS="-O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
-ffunction-sections -fdata-sections -fcommon -w"
unset MAKEFLAGS MFLAGS MAKELEVEL || true

../source/newlib/configure --host="$host" --prefix="$prefix" --disable-multilib --disable-newlib-supplied-syscalls \
    --enable-newlib-io-long-long --enable-newlib-io-c99-formats --enable-newlib-retargetable-locking \
    --enable-newlib-global-stdio-streams --enable-newlib-global-atexit \
    --disable-newlib-mb --disable-newlib-wide-orient --disable-newlib-iconv \
    >configure.log 2>&1 || fail configure.log configure
make -j2 >make.log 2>&1 || fail make.log make
make install >install.log 2>&1 || fail install.log "make install"

# The library has locks of its own (guest-pv/libc/locks.c).
ar d "$prefix/$host/lib/libc.a" lib_a-lock.o
cd "$prefix"
rm -rf work share "$host/lib/libg.a"
