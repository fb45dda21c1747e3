# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Two machines joined by a link through a proxy that understands what passes: it can cut the link, or do anything else,
at the moment a certain message of a hand-over is about to pass. The message itself is lost.
"""
import os
import selectors
import socket
import struct
import threading

from machine import BUILD, Machine

FRAME_MAGIC = 0x6c6b6e69766e6170
FRAME = struct.Struct("<QII16s")
RESET, SYNC, OPEN, DATA = 1, 2, 3, 5
MESSAGE = struct.Struct("<II")
MESSAGES = dict(enumerate("hello offer accepted refused data sent aborted complete failed commit running done report "
                          "discard discarded".split(), 1))


class Messages:
    """The messages that begin in the bytes of one direction of a conversation."""

    def __init__(self):
        self.header, self.skip = b"", 0

    def feed(self, data):
        names, at = [], 0
        while at < len(data):
            if self.skip:
                part = min(self.skip, len(data) - at)
                self.skip -= part
                at += part
                continue
            part = MESSAGE.size - len(self.header)
            self.header += data[at:at + part]
            at += part
            if len(self.header) == MESSAGE.size:
                kind, self.skip = MESSAGE.unpack(self.header)
                self.header = b""
                names.append(MESSAGES.get(kind, f"message {kind}"))
        return names


class Direction:
    """One way of the link: whole frames, and the messages in each. As for the hosts, what comes before the answer to the
    number that the other side has drawn is not looked at: it may be the rest of an earlier connection."""

    def __init__(self):
        self.bytes = b""
        self.messages = Messages()
        self.drawn = set()
        self.in_step = False

    def frames(self, data, other):
        self.bytes += data
        while len(self.bytes) >= FRAME.size:
            magic, kind, length, number = FRAME.unpack_from(self.bytes)
            if magic != FRAME_MAGIC:
                self.in_step = False
                at = self.bytes.find(FRAME_MAGIC.to_bytes(8, "little"))
                yield self.take(at if at > 0 else len(self.bytes) - 7), []
                continue
            if kind == RESET:
                self.drawn.add(number)
            if not self.in_step:
                self.in_step = kind == SYNC and number in other.drawn
                yield self.take(FRAME.size if length == 0 else 1), []
                continue
            if len(self.bytes) < FRAME.size + length:
                return
            frame = self.take(FRAME.size + length)
            yield frame, self.messages.feed(frame[FRAME.size:]) if kind == DATA else [OPEN] if kind == OPEN else []

    def take(self, size):
        taken, self.bytes = self.bytes[:size], self.bytes[size:]
        return taken


class Proxy(threading.Thread):
    """Two sockets in the file system; what comes by one leaves by the other, while both are connected."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.paths = [str(directory / f"link{number}") for number in range(2)]
        self.lock = threading.RLock()
        self.selector = selectors.DefaultSelector()
        self.ends = [None, None]
        self.listeners = [None, None]
        self.trap = None
        self.sprung = threading.Event()
        self.seen = []
        self.running = True
        self.restore()
        self.start()

    def set_trap(self, side, message, action):
        """When this message of that side's is about to pass, it does not, and action happens."""
        with self.lock:
            self.sprung.clear()
            self.seen = []
            self.trap = (side, message, action)

    def restore(self):
        """The link can be had again."""
        with self.lock:
            for side, path in enumerate(self.paths):
                if self.listeners[side] is None:
                    if os.path.exists(path):
                        os.unlink(path)
                    self.listeners[side] = socket.socket(socket.AF_UNIX)
                    self.listeners[side].bind(path)
                    self.listeners[side].listen(1)
                    self.selector.register(self.listeners[side], selectors.EVENT_READ, (side, "accept"))

    def cut(self):
        """Both sides lose the connection, and find none."""
        with self.lock:
            for side in range(2):
                for sockets in (self.ends, self.listeners):
                    if sockets[side] is not None:
                        self.selector.unregister(sockets[side])
                        sockets[side].close()
                        sockets[side] = None
                os.unlink(self.paths[side])

    def accept(self, side):
        connection = self.listeners[side].accept()[0]
        self.selector.unregister(self.listeners[side])
        self.listeners[side].close()
        self.listeners[side] = None
        self.ends[side] = connection
        if self.ends[0] is not None and self.ends[1] is not None:
            self.directions = [Direction(), Direction()]
            for number, end in enumerate(self.ends):
                self.selector.register(end, selectors.EVENT_READ, (number, "pass"))

    def lost(self, side):
        """One side hung up: so does the other, and both may come again."""
        for number in range(2):
            if self.ends[number] is not None:
                self.selector.unregister(self.ends[number])
                self.ends[number].close()
                self.ends[number] = None
        self.restore()

    def is_trapped(self, side, names):
        for name in names:
            if name == OPEN:
                for direction in self.directions:
                    direction.messages = Messages()
                continue
            self.seen.append((side, name))
            if self.trap is not None and self.trap[:2] == (side, name):
                return True
        return False

    def forward(self, side):
        try:
            data = self.ends[side].recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            self.lost(side)
            return
        for frame, names in self.directions[side].frames(data, self.directions[1 - side]):
            if self.is_trapped(side, names):
                action, self.trap = self.trap[2], None
                action()
                self.sprung.set()
                return
            try:
                self.ends[1 - side].sendall(frame)
            except OSError:
                self.lost(side)
                return

    def run(self):
        while self.running:
            for key, _ in self.selector.select(0.02):
                with self.lock:
                    side, what = key.data
                    if what == "accept" and self.listeners[side] is key.fileobj:
                        self.accept(side)
                    elif what == "pass" and self.ends[side] is key.fileobj:
                        self.forward(side)

    def close(self):
        self.running = False
        self.join(5)


class Pair:
    """The two machines. Either may be switched off and on again."""

    def __init__(self, directory, memory="640M"):
        self.memory = memory
        self.proxy = Proxy(directory)
        self.hosts = [self.boot(0), self.boot(1)]
        for host in self.hosts:
            host.prompt(timeout=90)
        for host in self.hosts:
            self.wait_link(host)

    def boot(self, side):
        return Machine(memory=self.memory, initrd=f"{BUILD}/dom0 vane.run=migrate-receive -d link0,{BUILD}/dom0.rd",
                       extra=["-device", "virtio-serial-pci",
                              "-chardev", f"socket,id=link,path={self.proxy.paths[side]},server=off,reconnect=1",
                              "-device", "virtserialport,chardev=link,name=link0"])

    def wait_link(self, host):
        host.wait("link0 up", lambda: any(d["name"] == "link0" and d["link"] for d in host.json("devices")))

    def kill(self, side):
        """The power fails: nothing is said any more."""
        os.kill(self.hosts[side].child.pid, 9)

    def restart(self, side):
        self.hosts[side].close()
        self.hosts[side] = self.boot(side)
        self.hosts[side].prompt(timeout=90)

    def close(self):
        for host in self.hosts:
            host.close()
        self.proxy.close()
