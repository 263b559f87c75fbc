"""A server on loopback that answers as told: late, twice, not at all, in pieces, or with something else."""

import contextlib
import json
import socket
import threading


class Loopback:
    """`script` holds what happens to the next requests, then `handler(method, path, headers, body)` answers
    with (status, JSON) or bytes. In the script: bytes are sent as they are, `Loopback.DROP` closes without a
    word, `Loopback.CLOSE` answers and closes, an event is waited for before answering."""

    DROP = object()
    CLOSE = object()

    def __init__(self, handler=None, tls=None, port=0):
        self.handler = handler or (lambda method, path, headers, body: (200, {"ok": True}))
        self.script = []
        self.requests = []  # (method, path, headers, body)
        self.connections = 0
        self._tls = tls
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self):
        return self._listener.getsockname()[1]

    @property
    def base_url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def close_connections(self):
        """Close what is open, as a server does with idle connections."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_connections()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(accepted,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted):
        self._sockets.add(accepted)
        try:
            with accepted:
                if self._tls:
                    secured = self._tls.wrap_socket(accepted, server_side=True)
                    self._sockets.add(secured)
                    with secured:
                        self._talk(secured)
                        self._sockets.discard(secured)
                else:
                    self._talk(accepted)
        except OSError:
            pass
        finally:
            self._sockets.discard(accepted)

    def _talk(self, connection):
        reader = connection.makefile("rb")
        with reader:
            while (line := reader.readline()).strip():
                method, path, _ = line.decode().split()
                headers = {}
                while (line := reader.readline()).strip():
                    name, _, value = line.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", 0)))
                self.requests.append((method, path, headers, body))
                happens = self.script.pop(0) if self.script else None
                if happens is Loopback.DROP:
                    return
                if isinstance(happens, threading.Event):
                    happens.wait(30)
                if isinstance(happens, bytes):
                    connection.sendall(happens)
                    continue
                connection.sendall(encode(self.handler(method, path, headers, body)))
                if happens is Loopback.CLOSE:
                    return


def encode(answer) -> bytes:
    if isinstance(answer, bytes):
        return answer
    status, value, *headers = answer
    body = b"" if value is None else json.dumps(value).encode()
    kind = "application/json" if status < 400 else "application/problem+json"
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
