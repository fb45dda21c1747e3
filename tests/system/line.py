# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A program at the other end of a line: what is typed goes to it, and all that it says is kept.

Every wait has an end. The program hangs on a pseudo terminal of ours, so it dies with us even when we are killed.
"""
import itertools
import re

import pexpect

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Line:
    """Its marks number the commands, so that the beginning and the end of each one's answer can be told apart."""

    def __init__(self, program, *arguments):
        self.child = pexpect.spawn(program, list(arguments), encoding="utf-8", codec_errors="replace", timeout=60,
                                   echo=False, dimensions=(50, 200), maxread=65536)
        self.child.delaybeforesend = None
        self.transcript = []
        self.child.logfile_read = self
        self.marks = itertools.count(1)

    # What pexpect asks of a log file.
    def write(self, text):
        self.transcript.append(text)

    def flush(self):
        pass

    def text(self):
        """All that it said so far, without terminal escapes."""
        return ESCAPES.sub("", "".join(self.transcript))

    def expect(self, pattern, timeout=60):
        """Waits for a regular expression; returns what came before it, without terminal escapes."""
        self.child.expect(pattern, timeout=timeout)
        return ESCAPES.sub("", self.child.before)

    def send(self, text):
        self.child.send(text)

    def close(self):
        self.child.close(force=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
