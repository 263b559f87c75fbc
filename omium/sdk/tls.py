"""TLS as a client sees it: the system's authorities, an own one, or a pinned fingerprint.

Owns the context that both kinds of connection and httpx are given. A pin is the SHA-256 of one certificate in
the server's chain, as `omium serve --tls` prints it. That certificate is fetched once per process, before
anything is sent, and compared; from then on it is the only authority that counts. Names
are checked as always.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
import threading
from typing import Any

from omium.errors import ConfigError

_PIN = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def normalise_pin(pin: str) -> str:
    """Return the 64 hexadecimal digits of `pin`; colons, case and a leading `sha256:` do not count."""
    cleaned = pin.strip().lower()
    match = _PIN.fullmatch(cleaned.removeprefix("sha256:").replace(":", ""))
    if match is None:
        raise ConfigError(
            f"{pin!r} is not a certificate's fingerprint: that has 64 hexadecimal digits, as"
            " `omium serve --tls` prints them."
        )
    return match[1]


class Tls:
    """How the certificate of the server at `host`:`port` is checked."""

    def __init__(self, host: str, port: int, *, ca_file: str | None = None, pin: str | None = None) -> None:
        self._host = host
        self._port = port
        self._ca_file = ca_file
        self._pin = normalise_pin(pin) if pin else None
        self._guard = threading.Lock()
        self.context: ssl.SSLContext | None = None
        """Set once `get_context` has returned it."""

    def get_context(self, timeout_s: float) -> ssl.SSLContext:
        """Return the context to connect with; with a pin the first call asks the server for its chain.

        Raises OSError if that fails, `ConfigError` for a wrong file or another certificate than the pinned.
        """
        with self._guard:
            if self.context is None:
                self.context = self._make_context(timeout_s)
            return self.context

    def _make_context(self, timeout_s: float) -> ssl.SSLContext:
        if self._pin is not None:
            return self._pinned_context(self._pin, timeout_s)
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:
            raise ConfigError(
                f"The authority file {self._ca_file} (OMIUM_CA_FILE) cannot be used: {error}."
            ) from error

    def _pinned_context(self, pin: str, timeout_s: float) -> ssl.SSLContext:
        for certificate in self._fetch_chain(timeout_s):
            if hmac.compare_digest(hashlib.sha256(certificate).hexdigest(), pin):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and refuses old versions
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the pin need not be a root
                context.load_verify_locations(cadata=certificate)
                return context
        raise ConfigError(
            f"The server at {self._host}:{self._port} shows another certificate than the pinned one. If its"
            " operator has renewed it, ask for the new fingerprint and set OMIUM_TLS_PIN; else it is not your"
            " server."
        )

    def _fetch_chain(self, timeout_s: float) -> list[bytes]:
        """Return the server's certificates (DER). Nothing is believed yet and nothing is sent."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection((self._host, self._port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=self._host) as secured,
        ):
            return _chain_of(secured)


def _chain_of(secured: ssl.SSLSocket) -> list[bytes]:
    if hasattr(secured, "get_unverified_chain"):  # Python 3.13 and later
        return list(secured.get_unverified_chain())
    inner: Any = secured._sslobj  # type: ignore[attr-defined]  # noqa: SLF001  # 3.10 to 3.12 have it only there
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain() or ()]
