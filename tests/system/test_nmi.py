# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The machine's own NMI, as a button or a controller of the board sends it."""
import json
import socket

import pytest

from machine import BUILD, Machine


def qmp(path, *commands):
    """Commands of QEMU's control protocol, each answered before the next."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(path))
        with control.makefile("rw") as lines:
            lines.readline()
            for command in ("qmp_capabilities", *commands):
                lines.write(json.dumps({"execute": command}) + "\n")
                lines.flush()
                while "return" not in json.loads(lines.readline()):
                    pass


@pytest.mark.parametrize("width", ["32", "64"])
def test_nmi_in_a_segment_that_is_gone(width, tmp_path):
    """The way back from an NMI loads the guest's segments as any way out does: one that another vCPU took away meanwhile
    is an exception of the guest's, not one of the hypervisor's, which ended with it."""
    control = tmp_path / "qmp"
    with Machine(cpus=2, append="console=com1 dom0_max_vcpus=2", initrd=f"{BUILD}/guest{width}/contain-nmi",
                 extra=("-qmp", f"unix:{control},server=on,wait=off")) as machine:
        machine.expect("taken away: now the NMI", timeout=100)
        qmp(control, "inject-nmi")
        machine.expect(r"nmi: \d+ passed, (\d+) failed|Panic on CPU", timeout=120)
        assert machine.child.match.group(1) == "0", machine.text()[-2000:]
