# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""verify.py SEEDS [FILE...]: Debian's verify-stream-v2 over the streams that the program SEEDS writes, and over saved
domains. It guards against a reader and a writer of ours that agree with each other and with nobody else. The checker is
part of xen-utils-4.17, fetched once and not installed; without a network this says so and checks nothing."""
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rival"))
import packages  # noqa: E402

PACKAGE = "xen-utils-4.17"


def checker():
    """The command and its environment, or None where the package cannot be had."""
    try:
        program = packages.find(PACKAGE, "usr/lib/xen-4.17/bin/verify-stream-v2")
        libraries = packages.find(PACKAGE, "usr/lib/xen-4.17/lib/python")
    except SystemExit as error:
        print(f"{error}\ncheck-stream: {PACKAGE} cannot be fetched here; nothing was checked")
        return None
    return [sys.executable, program], dict(os.environ, PYTHONPATH=libraries, PYTHONDONTWRITEBYTECODE="1")


def verify(command, environment, path, kind):
    """What the checker finds wrong, or nothing."""
    done = subprocess.run([*command, "--format", kind, "--in", path], env=environment, text=True, check=False,
                          timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.strip() if done.returncode else ""


def expect_refusal(command, environment, good):
    """The checker itself is no rubber stamp: a file with one octet of a record's header changed is refused."""
    with tempfile.NamedTemporaryFile() as bad:
        with open(good, "rb") as file:
            data = bytearray(file.read())
        data[-8] = 0x77
        bad.write(data)
        bad.flush()
        return "" if verify(command, environment, bad.name, "xl") else "a broken file was taken for a good one"


def main(seeds, *saved):
    found = checker()
    if found is None:
        print("0 passed, 0 failed")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([seeds, directory], check=True)
        cases = [(path, "xl") for path in sorted(glob.glob(f"{directory}/files/*")) + list(saved)]
        cases += [(path, "libxc") for path in sorted(glob.glob(f"{directory}/streams/*"))]
        results = [(path, verify(*found, path, kind)) for path, kind in cases]
        results.append(("a broken file", expect_refusal(*found, cases[0][0])))
    for path, words in results:
        if words:
            failed += 1
            print(f"{path}: {words[-600:]}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
