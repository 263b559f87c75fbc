"""Collecting: everything that the API shows of an execution, asked for page by page and put away at once.

Owns which executions a bundle holds, and in which order parts are written. What belongs to one execution is
sources.py's, the file writing.py's, what is masked cleaning.py's. Only the API is asked, so a bundle never
holds what its maker may not see; what is missing or not allowed is left out, and the manifest says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from omium import __version__
from omium.bundle import limits, manifest, sources
from omium.bundle.cleaning import Cleaner
from omium.bundle.manifest import HeldExecution, HeldFailure, HeldWorkflow, LeftOut, Manifest
from omium.bundle.rows import Rows, value_part
from omium.bundle.sources import LongValue, Pages
from omium.bundle.writing import ArchiveWriter
from omium.errors import CheckpointGone, NotFound, NotInBundle, ScopeMissing
from omium.models.execution import ExecutionDetail, ListedExecution
from omium.models.failure import Failure
from omium.sdk.async_client import AsyncClient

_MISSING: Final = (CheckpointGone, NotFound, NotInBundle, ScopeMissing)
"""What a server has not, or does not show; and what a bundle of which another one is made has not."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: what is read now, how many items of it were, and how long the file is by now."""

    execution_id: str
    what: str
    items: int
    size_bytes: int


class Collector:
    """Reads one execution, and with `with_children` all below it, into a writer."""

    def __init__(
        self,
        client: AsyncClient,
        writer: ArchiveWriter,
        *,
        with_children: bool,
        with_values: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._client = client
        self._writer = writer
        self._with_children = with_children
        self._with_values = with_values
        self._progress = progress
        self._cleaner = Cleaner([client.settings.api_key] if client.settings.api_key else [])
        self._executions: dict[str, HeldExecution] = {}
        self._listed: dict[str, ListedExecution] = {}
        self._failures: dict[str, HeldFailure] = {}
        self._groups: list[Failure] = []
        self._workflows: dict[tuple[str, int | None], HeldWorkflow] = {}
        self._left_out: list[LeftOut] = []
        self._values: list[LongValue] = []

    async def collect(self, execution_id: str, made_at_us: int) -> Manifest:
        """Read everything and return the manifest that says so. Values come last: they may not all fit."""
        root = await self._read_execution(execution_id)
        waiting = self._list_below(root) if self._with_children else []
        while waiting:
            if len(self._executions) == limits.EXECUTIONS_MAX:
                self._leave_out(root, "children", f"{len(waiting):,} more than one bundle holds")
                break
            waiting += self._list_below(await self._read_execution(waiting.pop(0)))
        listed = sorted(self._listed.values(), key=lambda row: (row.created_at_us, row.id), reverse=True)
        groups = sorted(self._groups, key=lambda row: (row.last_seen_at_us, row.id), reverse=True)
        await self._put_rows(root, "executions", sources.one_page(listed))
        await self._put_rows(root, "failures", sources.one_page(groups))
        for value in self._values:
            await self._read_value(value)
        return Manifest(
            format=manifest.FORMAT,
            version=manifest.VERSION,
            omium=__version__,
            made_at_us=made_at_us,
            execution_id=root,
            with_values=self._with_values,
            redacted=self._cleaner.redacted,
            executions=list(self._executions.values()),
            failures=list(self._failures.values()),
            workflows=list(self._workflows.values()),
            left_out=self._left_out,
            parts=self._writer.parts,
            content_sha256=manifest.content_digest(self._writer.parts),
        )

    def _list_below(self, execution_id: str) -> list[str]:
        """List an execution's children, in the order in which they began; nobody is its own descendant."""
        rows = [row for row in self._listed.values() if row.parent_id == execution_id]
        return [row.id for row in sorted(rows, key=lambda row: (row.created_at_us, row.id))]

    async def _read_execution(self, execution_id: str) -> str:
        """Read one execution whole and return its id."""
        detail = await self._client.get_execution(execution_id)
        folder = f"e{len(self._executions) + 1:04}"
        bare = detail.model_copy(update={"steps": [], "steps_next": None, "checkpoints": []})
        await self._put(f"{folder}/execution.json", bare)
        for what, pages in sources.list_sources(self._client, detail.id, with_logs=self._with_values):
            with self._tolerating(detail.id, what):
                await self._put_rows(detail.id, f"{folder}/{what}", pages, folder)
        with self._tolerating(detail.id, "workflow"):
            await self._read_workflow(detail)
        async for page in sources.list_pages(self._client.list_failures, execution=detail.id):
            for group in page:
                with self._tolerating(detail.id, f"failure {group.id}"):
                    await self._read_failure(group, detail.id)
        await self._read_related(detail)
        now = await self._client.get_execution(detail.id)
        self._executions[detail.id] = HeldExecution(
            id=detail.id,
            folder=folder,
            workflow=detail.workflow,
            status=now.status.value,
            last_seq=now.last_seq,
            settled=now.last_seq == detail.last_seq,
        )
        return detail.id

    async def _read_workflow(self, detail: ExecutionDetail) -> None:
        wanted = (detail.workflow, detail.version)
        if wanted in self._workflows:
            return
        folder = f"w{len(self._workflows) + 1:04}"
        name, version = wanted
        found = await self._client.get_workflow(name)
        if version is not None:
            document = await self._client.get_workflow_version(name, version)
            await self._put(f"{folder}/version.json", document)
        await self._put(f"{folder}/workflow.json", found)
        self._workflows[wanted] = HeldWorkflow(name=name, version=version, folder=folder)

    async def _read_failure(self, group: Failure, execution_id: str) -> None:
        held = self._failures.get(group.id)
        if held is None:
            detail = await self._client.get_failure(group.id)
            held = HeldFailure(id=group.id, folder=f"f{len(self._failures) + 1:04}", executions=[])
            await self._put(
                f"{held.folder}/failure.json",
                detail if self._with_values else sources.without_outcomes(detail),
            )
            older = detail.count - limits.OCCURRENCES_MAX
            if older > 0:
                self._leave_out(execution_id, f"occurrences of {group.id}", f"{older:,} older ones")
            pages = sources.list_pages(self._client.list_occurrences, group.id)
            newest = sources.take_first(pages, limits.OCCURRENCES_MAX)
            await self._put_rows(execution_id, f"{held.folder}/occurrences", newest)
            self._groups.append(group)
        executions = [*held.executions, execution_id]
        self._failures[group.id] = held.model_copy(update={"executions": executions})

    async def _read_related(self, detail: ExecutionDetail) -> None:
        """List what it came from and what came from it, as lists show executions."""
        self._listed[detail.id] = sources.as_listed(detail)
        for what, pages in sources.list_related(self._client, detail.id):
            rows = [row async for page in sources.take_first(pages, limits.RELATED_MAX + 1) for row in page]
            if len(rows) > limits.RELATED_MAX:
                self._leave_out(detail.id, what, f"more than {limits.RELATED_MAX:,}: older ones")
            self._listed |= {row.id: row for row in rows[: limits.RELATED_MAX]}
        for other in (detail.parent_id, detail.replay_of, detail.lineage_root):
            if other is not None and other not in self._listed:
                with self._tolerating(detail.id, f"execution {other}"):
                    self._listed[other] = sources.as_listed(await self._client.get_execution(other))

    async def _read_value(self, value: LongValue) -> None:
        what = f"{'output' if value.kind == 'values' else 'state'} {value.name[:200]}"
        if not self._writer.has_room(value.size_bytes):
            self._leave_out(value.execution_id, what, f"no room for its {value.size_bytes:,} bytes")
            return
        with self._tolerating(value.execution_id, what):
            found = await sources.fetch_value(self._client, value)
            await self._put(value_part(value.folder, value.kind, value.name), found)
            self._tell(value.execution_id, what, 1)

    async def _put(self, name: str, item: BaseModel) -> None:
        await asyncio.to_thread(lambda: self._writer.add(name, self._clean(item)))

    async def _put_rows(self, execution_id: str, prefix: str, pages: Pages, folder: str = "") -> None:
        rows, what = Rows(self._writer, prefix), prefix.rpartition("/")[2]

        def put(page: Sequence[BaseModel]) -> None:  # beside the loop: it masks and packs for a while
            rows.add(map(self._clean, page))
            long = (sources.find_long_value(item, execution_id, folder) for item in page)
            self._values += [value for value in long if value is not None and self._with_values]

        try:
            async for page in pages:
                await asyncio.to_thread(put, page)
                self._tell(execution_id, what, rows.total)
        finally:
            rows.end()

    def _clean(self, item: BaseModel) -> bytes:
        return self._cleaner.clean(
            item, without=() if self._with_values else sources.VALUES.get(type(item), ())
        )

    def _tell(self, execution_id: str, what: str, items: int) -> None:
        if self._progress is not None:
            self._progress(Progress(execution_id, what, items, self._writer.packed_bytes))

    @contextmanager
    def _tolerating(self, execution_id: str, what: str) -> Iterator[None]:
        """Leave `what` out where it is gone, or nothing that this key may read."""
        try:
            yield
        except _MISSING as error:
            self._leave_out(execution_id, what, str(error))

    def _leave_out(self, execution_id: str, what: str, why: str) -> None:
        self._left_out.append(LeftOut(execution_id=execution_id, what=what, why=why[:500]))
