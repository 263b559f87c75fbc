"""Parts: what the engine's asynchronous entrances need, handed in as one object; no globals."""

from __future__ import annotations

from dataclasses import dataclass, field

from omium.server.db.tx import Database
from omium.server.engine.definitions import Definitions
from omium.server.engine.native import NativeRuntimes
from omium.server.engine.policy import Policy
from omium.server.engine.values import Vault


@dataclass(frozen=True, slots=True)
class EngineParts:
    """A database, the vault that packs values for it, and the times to keep."""

    db: Database
    vault: Vault
    policy: Policy = field(default_factory=Policy)
    definitions: Definitions = field(default_factory=Definitions)
    """The specs that this process has compiled."""
    runtimes: NativeRuntimes = field(default_factory=NativeRuntimes)
    """What native specs say of where they run."""
    metering: bool = False
    """Whether what begins from now on is metered: the server's setting."""
