"""E-mail: one message through the mail server that the operator has configured.

Owns the connection (TLS, log-in, time) and the message's form. smtplib blocks, so it runs in a thread; each
message has a connection of its own. The same message id in every attempt lets a mailbox drop repeats.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final

from omium.errors import ConfigError
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import SendFailed

RECIPIENTS_MAX: Final = 10
TLS_MODES: Final = ("starttls", "tls", "none")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail goes, and as whom. `tls` is one of `TLS_MODES`; `recipients` are allowed endings."""

    host: str
    port: int
    tls: str
    user: str
    password: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...] = ()
    ca_file: str = ""
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if self.tls not in TLS_MODES:
            raise ConfigError(f"OMIUM_SMTP_TLS is {self.tls!r}; take one of {', '.join(TLS_MODES)}.")
        if not _ADDRESS.fullmatch(self.sender):
            raise ConfigError("OMIUM_SMTP_FROM must be the address that alerts come from.")
        if self.user and self.tls == "none":
            raise ConfigError("A password is not sent without TLS: set OMIUM_SMTP_TLS to starttls or tls.")

    def read_recipients(self, text: str) -> list[str]:
        """Return the addresses in `text`, with commas between; raises `TargetRefused`."""
        found = [part.strip() for part in text.split(",")]
        if not 1 <= len(found) <= RECIPIENTS_MAX:
            raise TargetRefused(f"Name one to {RECIPIENTS_MAX} e-mail addresses.")
        for address in found:
            if not _ADDRESS.fullmatch(address):
                raise TargetRefused(f"{address[:100]!r} is no e-mail address.")
            if self.recipients and not address.lower().endswith(tuple(self.recipients)):
                raise TargetRefused(f"This server sends to {', '.join(self.recipients)} only.")
        return found

    async def send(self, to: Sequence[str], subject: str, text: str, message_id: str) -> None:
        """Send one message; raises `SendFailed` unless the mail server has taken it for everybody."""
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(to)
        message["Subject"] = subject
        message["Message-ID"] = f"<{message_id}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            await asyncio.to_thread(self._send, message)
        except (smtplib.SMTPException, OSError) as error:
            reason = str(error) or type(error).__name__
            raise SendFailed(f"The mail server {self.host} did not take it: {reason[:200]}") from error

    def _send(self, message: EmailMessage) -> None:
        tls = ssl.create_default_context(cafile=self.ca_file or None)
        connection: smtplib.SMTP
        if self.tls == "tls":
            connection = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=tls)
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        with connection:
            if self.tls == "starttls":
                connection.starttls(context=tls)
            if self.user:
                connection.login(self.user, self.password)
            refused = connection.send_message(message)
        if refused:  # some were refused, others have it: another attempt goes to all, under the same id
            raise smtplib.SMTPRecipientsRefused(refused)
