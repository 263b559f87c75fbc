"""`omium workflows edit`: a document in the user's own editor, checked and compared before it is saved.

What was typed is in a draft file until it is saved or given up: an invalid document, a lost connection,
another one who saved meanwhile, or a closed terminal lose nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omium.cli.context import Common, for_server
from omium.cli.editor import edit_file
from omium.cli.ending import FAILED, WrongUse
from omium.cli.options import Yes
from omium.cli.workflow_documents import show_changes, show_findings, to_text
from omium.cli.workflows import Name, Note, tell_saved
from omium.errors import InvalidJson, SpecInvalid, WorkflowChanged

if TYPE_CHECKING:
    from omium.sdk.sync_client import Client


@for_server
def edit(
    common: Common,
    name: Name,
    note: Note = "",
    new: Annotated[bool, typer.Option("--new", help="Begin a workflow that is not there yet.")] = False,
    yes: Yes = False,
) -> None:
    """Edit a workflow with $VISUAL or $EDITOR. It's checked, and the change shown, before it is saved.

    What you typed is kept in a draft until it is saved; the same command goes on with it.

    \b
    omium workflows edit research --note "ask for sources"
    omium workflows edit greeting --new
    """
    with common.client() as client:
        if new:
            version, original = 0, to_text(_skeleton(name))
        else:
            found = client.get_workflow_version(name)
            name, version, original = found.name, found.version, to_text(found.document)
        draft = Draft(name, version)
        earlier = draft.find_earlier()
        if earlier is not None and _goes_on(common, earlier, yes=yes):
            draft = earlier
        else:
            draft.write(original)
        document = _edit(common, client, draft, name, original, new=new)
        if document is None:
            draft.remove()
            common.output.say("Nothing was changed.")
            return
        _save(common, client, draft, document, note, yes=yes)


class Draft:
    """A document on its way: a file of its own for each workflow, readable for nobody else."""

    def __init__(self, name: str, version: int) -> None:
        from omium.config.profiles import config_folder

        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:40].strip("-")
        unique = hashlib.sha256(name.encode()).hexdigest()[:8]
        self.version = version
        """The one that it changes: what somebody else saved since is not overwritten."""
        self.path = config_folder() / "drafts" / f"{plain}-{unique}.v{version}.json"

    def find_earlier(self) -> Draft | None:
        """Return the draft of this workflow that was kept last, whichever version it changes."""
        stem = self.path.name.rpartition(".v")[0]
        kept = [
            (path.stat().st_mtime_ns, int(found[1]))
            for path in self.path.parent.glob(f"{stem}.v*.json")
            if (found := re.search(r"\.v(\d+)\.json$", path.name)) is not None
        ]
        return self._of_version(max(kept)[1]) if kept else None

    def _of_version(self, version: int) -> Draft:
        other = Draft("", version)
        other.path = self.path.with_name(f"{self.path.name.rpartition('.v')[0]}.v{version}.json")
        return other

    def read(self) -> str:
        """Return what the file has now. Raises `WrongUse` if that is no text."""
        try:
            return self.path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise WrongUse(f"{self.path} is not text in UTF-8 any more.") from error

    def write(self, text: str) -> None:
        """Put `text` into the file, which is made if there is none; a crash leaves the former or the new."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.path)

    def remove(self) -> None:
        """Forget the draft: it is saved, or the same as before."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def _goes_on(common: Common, draft: Draft, *, yes: bool) -> bool:
    """Say whether a draft of an earlier call is gone on with; a script always does."""
    if yes or not common.output.interactive:
        common.output.say(f"Going on with the draft that was not saved: {draft.path}")
        return True
    return common.output.agrees("There is a draft that was not saved. Go on with it?", default=True)


def _edit(
    common: Common, client: Client, draft: Draft, name: str, original: str, *, new: bool
) -> dict[str, Any] | None:
    """Return the valid document that came out of the editor, None where it is what went in."""
    while True:
        edit_file(draft.path)
        text = draft.read()
        if text == original and not new:
            return None
        document, findings = _check(client, name, text)
        if document is not None:
            return document
        show_findings(common.output, findings)
        again = common.output.interactive and common.output.agrees("Go on editing?", default=True)
        if not again:
            _tell_kept(common, draft, name)
            raise typer.Exit(FAILED)


def _check(client: Client, name: str, text: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    from omium.jsonvalue import parse_json
    from omium.models.workflows import CheckWorkflow

    try:
        document = parse_json(text)
    except InvalidJson as error:
        return None, [{"pointer": error.members.get("pointer") or "", "detail": str(error)}]
    if isinstance(document, dict) and document.get("name") != name:
        detail = f"The name is {name}: one workflow does not become another."
        return None, [{"pointer": "/name", "detail": detail, "suggestion": "Import it as a file to copy it."}]
    answer = client.check_workflow(CheckWorkflow(document=document))
    if not answer.valid or not isinstance(document, dict):
        return None, [each.model_dump() for each in answer.errors]
    return document, []


def _save(
    common: Common,
    client: Client,
    draft: Draft,
    document: dict[str, Any],
    note: str,
    *,
    yes: bool,
) -> None:
    from omium.models.workflows import CheckWorkflow, SaveWorkflow

    name, version = str(document["name"]), draft.version
    answer = client.check_workflow(CheckWorkflow(document=document))
    if not common.output.as_json:
        show_changes(common.output, answer.changes)
    try:
        common.output.confirm(f"Save it as version {version + 1}?", yes=yes, default=True)
        done = client.save_workflow(SaveWorkflow(document=document, note=note, expected_version=version))
    except (typer.Abort, WrongUse, SpecInvalid, WorkflowChanged):
        _tell_kept(common, draft, name)
        raise
    draft.remove()
    tell_saved(common, done)


def _tell_kept(common: Common, draft: Draft, name: str) -> None:
    common.output.say(f"What you typed is kept in {draft.path}. Go on: omium workflows edit {name}")


def _skeleton(name: str) -> dict[str, Any]:
    node = {"id": "first", "type": "function", "parameters": {"handler": "first"}}
    return {"omium": "0", "name": name, "inputs": {"type": "object"}, "nodes": [node], "edges": []}
