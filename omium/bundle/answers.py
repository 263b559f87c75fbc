"""Answers: what a server would say to a request, out of a bundle.

Owns the table of what can be asked of a bundle: the API's own paths and filters, so that a client, a screen
or a command needs to know nothing of bundles. What is on a line of the file goes out as it is. Anything that
is no GET raises `BundleReadOnly`, anything else that a server has and a bundle has not `NotInBundle`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from omium.bundle.filters import Keep, Query, make_filter, read_number
from omium.bundle.manifest import HeldWorkflow
from omium.bundle.opening import Bundle, Row
from omium.errors import BundleReadOnly, NotInBundle

LIMIT: Final = 50
LIMIT_MAX: Final = 500
DETAIL_ITEMS: Final = 100
"""How many steps and checkpoints the answer about an execution has, as the server's."""

Handler = Callable[["Answers", list[str], Query], bytes]

LISTS: Final = ("steps", "attempts", "events", "checkpoints", "logs", "effects", "compensations")


class Answers:
    """Answers requests about one bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def answer(self, method: str, target: str) -> bytes:
        """Return the body of a 200. Raises `BundleReadOnly`, `NotInBundle`, `BundleDamaged`."""
        address = urlsplit(target)
        if method != "GET":
            raise BundleReadOnly(
                f"{self._bundle.path.name} is a bundle: it can be looked at, and nothing in it changes or"
                " runs. Do this on the server that the execution is on."
            )
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        for pattern, handler in ROUTES.items():
            found = re.fullmatch(pattern, address.path)
            if found is not None:
                return handler(self, [unquote(part) for part in found.groups()], query)
        raise NotInBundle(
            "A bundle holds an execution and what belongs to it;"
            f" {address.path.removeprefix('/v1/')} only a server knows."
        )

    def list_events_after(self, execution_id: str, seq: int) -> Iterator[tuple[int, bytes]]:
        """Yield an execution's events behind number `seq`: each number, and the event as JSON."""
        for line in self._bundle.list_lines(f"{self._folder(execution_id)}/events"):
            number = self._bundle.read_row(line).get("seq")
            if isinstance(number, int) and number > seq:
                yield number, line

    # ---- executions

    def executions(self, _: list[str], query: Query) -> bytes:
        """Answer with the executions that are listed: those that are held, and those around them."""
        keep = make_filter("executions", query)
        tag = query.get("tag")

        def tagged(row: Row) -> bool:
            tags = row.get("tags")
            return not tag or (isinstance(tags, list) and tag in tags)

        return self._page(["executions"], query, lambda row: keep(row) and tagged(row))

    def execution(self, ids: list[str], _: Query) -> bytes:
        """Answer with an execution and the first of its steps and checkpoints."""
        folder = self._folder(ids[0])
        row = self._bundle.read_row(self._document(f"{folder}/execution.json"))
        steps, following = self._take(f"{folder}/steps", DETAIL_ITEMS)
        checkpoints, _more = self._take(f"{folder}/checkpoints", DETAIL_ITEMS)
        lists = {"steps": steps, "steps_next": following, "checkpoints": checkpoints}
        return self._bundle.write_row(row | lists)

    def list_of_execution(self, ids: list[str], query: Query) -> bytes:
        """Answer with a page of one of an execution's lists."""
        execution_id, what = ids
        folder = self._folder(execution_id)
        if what == "logs" and not self._bundle.manifest.with_values:
            raise NotInBundle("The logs were left out: the bundle was made without values.")
        return self._page([f"{folder}/{what}"], query, make_filter(what, query))

    def step_value(self, ids: list[str], query: Query) -> bytes:
        """Answer with a step's whole output."""
        execution_id, path = ids[0], query.get("path", "")
        folder = self._folder(execution_id)
        known = self._bundle.find_value(folder, "values", path)
        if known is not None:
            return known
        for row in self._rows(f"{folder}/steps"):
            if row.get("key") == path and row.get("superseded_seq") is None:
                self._require_value(row, row.get("output"), row.get("output_size_bytes"))
                return self._bundle.write_row({"path": path, "output": row.get("output")})
        raise NotInBundle(f"{execution_id} has no step {path}.")

    def checkpoint(self, ids: list[str], _: Query) -> bytes:
        """Answer with a saved state whole."""
        execution_id, wanted = ids
        folder = self._folder(execution_id)
        known = self._bundle.find_value(folder, "states", wanted)
        if known is not None:
            return known
        for line in self._bundle.list_lines(f"{folder}/checkpoints"):
            row = self._bundle.read_row(line)
            if row.get("id") == wanted:
                self._require_value(row, row.get("state"), row.get("state_size_bytes"))
                return line
        raise NotInBundle(f"{execution_id} has no checkpoint {wanted}.")

    def _require_value(self, row: Row, value: object, size_bytes: object) -> None:
        if value is None and isinstance(size_bytes, int) and size_bytes > len("null"):
            name = row.get("key") or row.get("name")
            raise NotInBundle(f"The value of {name} was left out of the bundle; see its manifest.")

    # ---- failures, workflows, approvals, usage, charges

    def failures(self, _: list[str], query: Query) -> bytes:
        """Answer with the failure groups that the executions are occurrences of."""
        keep, wanted = make_filter("failures", query), query.get("execution")
        held = {each.id for each in self._bundle.manifest.failures if not wanted or wanted in each.executions}
        return self._page(["failures"], query, lambda row: row.get("id") in held and keep(row))

    def failure(self, ids: list[str], _: Query) -> bytes:
        """Answer with all that was known of a failure."""
        return self._document(f"{self._failure_folder(ids[0])}/failure.json")

    def occurrences(self, ids: list[str], query: Query) -> bytes:
        """Answer with a page of a failure's occurrences."""
        return self._page([f"{self._failure_folder(ids[0])}/occurrences"], query)

    def workflows(self, _: list[str], query: Query) -> bytes:
        """Answer with the workflows that the executions ran, each once, by name."""
        names = {held.name: f"{held.folder}/workflow.json" for held in self._bundle.manifest.workflows}
        rows = [self._bundle.read_row(self._document(names[name])) for name in sorted(names)]
        keep, tag, archived = make_filter("workflows", query), query.get("tag"), query.get("archived")
        found = [
            row
            for row in rows
            if keep(row)
            and (not row.get("archived") or archived == "true")
            and (not tag or any(each.get("tag") == tag for each in _rows_of(row, "tags")))
        ]
        return self._bundle.write_row({"items": found, "next": None})

    def workflow_versions(self, ids: list[str], _: Query) -> bytes:
        """Answer with the versions of a workflow that were run, newest first."""
        ran = sorted(
            (each for each in self._workflows_at(ids[0]) if each.version is not None),
            key=lambda each: -(each.version or 0),
        )
        rows = [self._bundle.read_row(self._document(f"{each.folder}/version.json")) for each in ran]
        return self._bundle.write_row({"items": rows, "next": None})

    def workflow(self, ids: list[str], _: Query) -> bytes:
        """Answer with a workflow as it stood when the bundle was made."""
        for held in self._workflows_at(ids[0]):
            return self._document(f"{held.folder}/workflow.json")
        raise NotInBundle(f"The bundle does not hold the workflow {ids[0]}.")

    def workflow_version(self, ids: list[str], _: Query) -> bytes:
        """Answer with the document that was run."""
        for held in self._workflows_at(ids[0]):
            if held.version is not None and ids[1] == str(held.version):
                return self._document(f"{held.folder}/version.json")
        raise NotInBundle(f"The bundle does not hold version {ids[1]} of the workflow {ids[0]}.")

    def _workflows_at(self, address: str) -> list[HeldWorkflow]:
        """Return what is held of the workflow of a name or, as the server finds them too, of an id."""
        held = self._bundle.manifest.workflows
        named = [each for each in held if each.name == address]
        if named or not address.startswith("wf_"):
            return named
        return [
            each
            for each in held
            if self._bundle.read_row(self._document(f"{each.folder}/workflow.json")).get("id") == address
        ]

    def usage(self, _: list[str], query: Query) -> bytes:
        """Answer with usage records, of one execution or of all that are held."""
        return self._page([f"{folder}/usage" for folder in self._folders(query.get("execution_id"))], query)

    def approvals(self, _: list[str], query: Query) -> bytes:
        """Answer with what the executions waited for a person with."""
        return self._page([f"{folder}/approvals" for folder in self._folders(None)], query)

    def charges(self, _: list[str], query: Query) -> bytes:
        """Answer with the entries of the journal that the executions made."""
        what = "charges" if query.get("unfolded") == "true" else "folded"
        prefixes = [f"{folder}/{what}" for folder in self._folders(query.get("execution"))]
        return self._page(prefixes, query, make_filter("charges", query))

    # ---- finding

    def _folder(self, execution_id: str) -> str:
        folder = self._bundle.find_folder(execution_id)
        if folder is None:
            held = ", ".join(each.id for each in self._bundle.manifest.executions[:3])
            raise NotInBundle(f"The bundle does not hold {execution_id}; it holds {held}.")
        return folder

    def _folders(self, execution_id: str | None) -> list[str]:
        if execution_id:
            return [self._folder(execution_id)]
        return [held.folder for held in self._bundle.manifest.executions]

    def _failure_folder(self, failure_id: str) -> str:
        for held in self._bundle.manifest.failures:
            if held.id == failure_id:
                return held.folder
        raise NotInBundle(f"The bundle does not hold the failure {failure_id}.")

    def _document(self, name: str) -> bytes:
        found = self._bundle.find_document(name)
        if found is None:
            raise NotInBundle(f"The bundle does not hold {name}.")
        return found

    def _rows(self, prefix: str) -> Iterator[Row]:
        return map(self._bundle.read_row, self._bundle.list_lines(prefix))

    def _take(self, prefix: str, count: int) -> tuple[list[Row], str | None]:
        rows: list[Row] = []
        for row in self._rows(prefix):
            if len(rows) == count:
                return rows, str(count)
            rows.append(row)
        return rows, None

    def _page(self, prefixes: list[str], query: Query, keep: Keep | None = None) -> bytes:
        """Return a page of lists, one behind the other. A cursor is the number of the next line."""
        start, limit = read_number(query, "after", 0), read_number(query, "limit", LIMIT)
        found: list[bytes] = []
        following = None
        for number, line in self._number(prefixes, start):
            if keep is not None and not keep(self._bundle.read_row(line)):
                continue
            if len(found) == min(max(limit, 1), LIMIT_MAX):
                following = str(number)
                break
            found.append(line)
        return b'{"items":[%b],"next":%b}' % (b",".join(found), json.dumps(following).encode())

    def _number(self, prefixes: list[str], start: int) -> Iterator[tuple[int, bytes]]:
        if len(prefixes) == 1:  # what is before is not unpacked
            yield from enumerate(self._bundle.list_lines(prefixes[0], start), start)
            return
        lines = (line for prefix in prefixes for line in self._bundle.list_lines(prefix))
        yield from ((number, line) for number, line in enumerate(lines) if number >= start)


ROUTES: Final[Mapping[str, Handler]] = {
    r"/v1/executions": Answers.executions,
    r"/v1/executions/([^/]+)": Answers.execution,
    r"/v1/executions/([^/]+)/steps/value": Answers.step_value,
    rf"/v1/executions/([^/]+)/({'|'.join(LISTS)})": Answers.list_of_execution,
    r"/v1/executions/([^/]+)/checkpoints/([^/]+)": Answers.checkpoint,
    r"/v1/failures": Answers.failures,
    r"/v1/failures/([^/]+)": Answers.failure,
    r"/v1/failures/([^/]+)/occurrences": Answers.occurrences,
    r"/v1/workflows": Answers.workflows,
    r"/v1/workflows/([^/]+)": Answers.workflow,
    r"/v1/workflows/([^/]+)/versions": Answers.workflow_versions,
    r"/v1/workflows/([^/]+)/versions/([^/]+)": Answers.workflow_version,
    r"/v1/approvals": Answers.approvals,
    r"/v1/usage": Answers.usage,
    r"/v1/credits/history": Answers.charges,
}
"""What can be asked of a bundle, as of a server."""


def _rows_of(row: Row, member: str) -> list[Row]:
    value = row.get(member)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
