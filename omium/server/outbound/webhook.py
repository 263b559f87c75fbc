"""A webhook: its address and its signing secrets, sealed for one row, and one signed message to it.

Owns what every webhook that leaves this server has in common, whoever sends it: what is sealed, what people
are shown of the address, and the headers. What counts as taken, and what happens then, is the sender's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from omium.clock import US_PER_S
from omium.jsonvalue import json_bytes
from omium.server.outbound.http import ANSWER_BYTES_MAX, Answer, GuardedClient
from omium.server.outbound.signing import Secrets, rotate_secrets, sign, valid_secrets
from omium.server.seal import KeyFile

GONE: Final = 410
"""The status that says that the target is there no more."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook's whole address and its signing secrets."""

    url: str = field(repr=False)
    secrets: Secrets = field(repr=False)

    @classmethod
    def unseal(cls, keys: KeyFile, sealed: bytes, *place: str) -> Webhook:
        """Return what was sealed for `place`; raises `SealBroken`."""
        content = json.loads(keys.unseal(sealed, _join(place)))
        return cls(content["url"], tuple((secret, until) for secret, until in content["secrets"]))

    def seal(self, keys: KeyFile, *place: str) -> bytes:
        """Return it sealed for `place` (tenant, table, row, column): anywhere else it does not open."""
        content = json_bytes({"url": self.url, "secrets": [list(each) for each in self.secrets]})
        return keys.seal(content, _join(place))

    def rotated(self, now_us: int) -> Webhook:
        """Return it with a new secret; the one before it is valid for a day more."""
        return Webhook(self.url, rotate_secrets(self.secrets, now_us))

    async def post(
        self,
        client: GuardedClient,
        message_id: str,
        body: bytes,
        now_us: int,
        *,
        timeout_s: float | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        """Send the JSON `body` once, signed; raises as `GuardedClient.post`."""
        signed = sign(valid_secrets(self.secrets, now_us), message_id, now_us // US_PER_S, body)
        headers = {"content-type": "application/json", **signed}
        return await client.post(
            self.url, body, headers, timeout_s=timeout_s, answer_bytes_max=answer_bytes_max
        )


def show_url(client: GuardedClient, url: str) -> str:
    """Return what people are shown of `url`, or raise `TargetRefused`."""
    parts = client.check_url(url)
    return f"{parts.scheme}://{parts.netloc}/" + ("…" if parts.path.strip("/") or parts.query else "")


def _join(place: tuple[str, ...]) -> bytes:
    return b"\x00".join(part.encode() for part in place)
