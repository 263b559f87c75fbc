"""A network that loses, doubles, delays and reorders: an HTTP proxy on loopback with a seed.

What may happen to a request, each with its own chance:

    it is lost on the way · it arrives late, so that others overtake it · it arrives twice at once
    an earlier one arrives again · its answer is lost, or cut in the middle, or late

Requests are told apart by their Content-Length, as the SDK sends them. Owns no rule about what is right: the
gates ask the server afterwards. A network that is cut and healed is proxy.py.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass

from tests.faults.patience import PATIENCE_S

LATE_S = 0.02
REMEMBERED = 30


@dataclass(frozen=True, slots=True)
class Doubled:
    """A request that arrived twice at once, and both answers."""

    request: bytes
    first: bytes
    second: bytes


class Unreliable:
    """Forwards requests to `port`, as `seed` will have it; `chance` is that of each mishap."""

    def __init__(self, port: int, seed: object, chance: float = 0.08) -> None:
        self.doubled: list[Doubled] = []
        self.mishaps = 0
        self._target = ("127.0.0.1", port)
        self._random = random.Random(str(seed))
        self._chance = chance
        self._earlier: list[bytes] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Break what is open and wait for the threads."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        with client, contextlib.suppress(OSError, EOFError), client.makefile("rb") as reader:
            while True:
                request = read_message(reader)
                if not self._forward(request, client):
                    break
        with self._lock:
            self._open.discard(client)

    def _forward(self, request: bytes, client: socket.socket) -> bool:
        """Send one request on and its answer back; False if the connection is to break now."""
        with self._lock:
            happens = {
                name: self._random.random() < self._chance
                for name in ("lost", "late", "twice", "again", "unanswered", "cut", "answered late")
            }
            earlier = self._random.choice(self._earlier) if self._earlier and happens["again"] else None
            self._earlier = [*self._earlier[-REMEMBERED:], request]
            self.mishaps += sum(happens.values())
        if happens["lost"]:
            return False
        if happens["late"]:
            time.sleep(LATE_S)
        if earlier is not None:
            self._ask(earlier)
        answer = self._ask_twice(request) if happens["twice"] else self._ask(request)
        if happens["answered late"]:
            time.sleep(LATE_S)
        if happens["unanswered"]:
            return False
        client.sendall(answer[: len(answer) // 2] if happens["cut"] else answer)
        return not happens["cut"]

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self._target, timeout=PATIENCE_S) as server:
            server.sendall(request)
            with server.makefile("rb") as reader:
                return read_message(reader)

    def _ask_twice(self, request: bytes) -> bytes:
        """Send the request over two connections at once, and keep both answers for whoever compares."""
        with (
            socket.create_connection(self._target, timeout=PATIENCE_S) as one,
            socket.create_connection(self._target, timeout=PATIENCE_S) as other,
        ):
            one.sendall(request)
            other.sendall(request)
            with one.makefile("rb") as first_reader, other.makefile("rb") as second_reader:
                first, second = read_message(first_reader), read_message(second_reader)
        with self._lock:
            self.doubled.append(Doubled(request, first, second))
        return second


def read_message(reader) -> bytes:
    """Read one HTTP/1.1 message whose body has a Content-Length, or raise EOFError."""
    head, length = b"", 0
    while (line := reader.readline()) not in (b"\r\n", b""):
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not line:
        raise EOFError
    body = reader.read(length)
    if len(body) < length:
        raise EOFError
    return head + line + body


def split_answer(answer: bytes) -> tuple[bytes, bytes]:
    """Return the status line and the body of an answer: what must not differ between two of them."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], body
