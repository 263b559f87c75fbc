"""Bundling: an execution written into one file, from any page.

A page calls `bundle(page, execution_id)`. The file is made on the machine that the dashboard runs on, so the
browser's version has no such action. What is in a bundle is omium.bundle's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from omium.bundle import WrittenBundle, name_bundle, write_bundle
from omium.errors import OmiumError
from omium.tui.asking import Asking
from omium.tui.dialogs import Field, Form, Reading
from omium.words import count, size

_NOTE = "Secrets are masked. It opens anywhere, without this server: omium bundle open FILE"


def bundle(page: Asking, execution_id: str) -> None:
    """Ask where to and how much, then write the bundle of an execution."""
    fields = [
        Field("file", "File", str(Path.cwd() / name_bundle(execution_id)), required=True, check=_check),
        Field("children", "Children", placeholder="with the executions below it, whole", kind="flag"),
        Field("bare", "Values", placeholder="without inputs, outputs, states and logs", kind="flag"),
    ]

    def answered(values: Mapping[str, str] | None) -> None:
        if values is None:
            return
        path = Path(values["file"].strip()).expanduser()
        write = partial(_write, page, execution_id, path, values)
        if path.is_file():
            page.ask(f"Overwrite {path.name}?", str(path), write, yes="Overwrite it")
        else:
            write()

    page.dashboard.push_screen(Form("Write it into one file", fields, send="Write", note=_NOTE), answered)


def _check(given: str) -> str | None:
    path = Path(given.strip()).expanduser()
    if path.is_dir():
        return "This is a folder; name a file in it."
    return None if path.parent.is_dir() else f"There is no folder {path.parent}."


def _write(page: Asking, execution_id: str, path: Path, values: Mapping[str, str]) -> None:
    def failed(error: OmiumError) -> None:
        page.dashboard.push_screen(Reading("No bundle was written", str(error)))

    page.act(
        f"Write the bundle of {execution_id}",
        partial(
            write_bundle,
            page.client,
            execution_id,
            path,
            with_children=values["children"] == "true",
            with_values=values["bare"] != "true",
            overwrite=path.is_file(),  # that was agreed to
        ),
        partial(_show, page),
        said=f"{path.name} is written.",
        failed=failed,
    )


def _show(page: Asking, made: WrittenBundle) -> None:
    manifest = made.manifest
    lines = [
        f"File     {made.path}",
        f"Size     {size(made.size_bytes)}",
        f"SHA-256  {made.sha256}",
        f"Holds    {count(len(manifest.executions), 'execution')}",
    ]
    if manifest.redacted:
        lines.append(f"Masked   {count(manifest.redacted, 'secret')}")
    if any(not held.settled for held in manifest.executions):
        lines.append("\nIt went on while it was read: parts may be of different moments.")
    lines += [f"Left out: {each.what}: {each.why}" for each in manifest.left_out[:10]]
    page.dashboard.push_screen(
        Reading(
            "The bundle is written",
            "\n".join(lines),
            copied=str(made.path),
            note=f"omium bundle open {made.path}",
        )
    )
