"""The operator's own: backups into the server's backup folder, and a check of the stored data."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from omium.errors import InvalidRequest
from omium.models.server import Backup, MakeBackup, Verification
from omium.server.audit.anchors import SUFFIX, write_heads
from omium.server.web.context import ServerContext
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.states import Scope

KEYS_SUFFIX = ".keys.json"


@endpoint(
    "POST",
    "/v1/admin/backup",
    scope=Scope.SERVER,
    idempotent=Idempotency.NATURAL,
    body=MakeBackup,
    reply=Backup,
    status=201,
    problems=(InvalidRequest,),
    audit="backup.made",
    audit_target="file",
    summary="Copy the database into the server's backup folder, while work goes on",
    tags=("server",),
)
async def make_backup(call: Call[MakeBackup]) -> Backup:
    """Dies in the middle: the database's own backup appears whole or not at all; a repeat makes another."""
    folder = call.server.settings.data / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = datetime.fromtimestamp(call.server.clock.now_us() / 1_000_000, UTC)
    suffix = ".sqlite" if call.server.db.dialect == "sqlite" else ".dump"
    target = folder / (call.body.name or f"omium-{at:%Y%m%dT%H%M%S%fZ}{suffix}")
    if target.exists():
        raise InvalidRequest(f"There is a backup named {target.name} already; choose another name.")
    await write_heads(call.server.db, target.with_name(target.name + SUFFIX))
    await call.server.db.backup(target)
    key_file = None
    note = "The key file is not in this backup: keep it elsewhere, or sealed values and API keys are lost."
    if call.body.with_keys:
        key_file = target.with_name(target.name + KEYS_SUFFIX)
        await asyncio.to_thread(_copy_keys, call.server.key_file.path, key_file)
        note = "The key file lies beside this backup: whoever has both can read everything."
    return Backup(
        file=str(target),
        size_bytes=target.stat().st_size,
        key_file=None if key_file is None else str(key_file),
        note=note,
    )


@endpoint(
    "GET",
    "/v1/admin/verify",
    scope=Scope.SERVER,
    reply=Verification,
    summary="Check that the stored data is whole and that its rules hold",
    tags=("server",),
)
async def verify_data(call: Call[None]) -> Verification:
    return await verify_all(call.server)


async def verify_all(server: ServerContext) -> Verification:
    """Run every check of `server`: the database's own, then those of the rules, in small reads."""
    problems = await server.db.integrity_problems()
    checks = ["integrity of the database"]
    for name, check in server.checks:
        problems += [f"{name}: {problem}" for problem in await check(server.db)]
        checks.append(name)
    return Verification(problems=problems, checks=checks)


def _copy_keys(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as copy, source.open("rb") as original:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())


ENDPOINTS = [make_backup, verify_data]
