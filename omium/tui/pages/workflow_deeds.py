"""What is done with a workflow: run it, edit its document here or in $EDITOR, write, copy, archive it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from omium.models.workflows import WorkflowVersionDocument
from omium.states import Scope
from omium.tui.actions import Action
from omium.tui.archiving import archive_or_unarchive
from omium.tui.content import safe
from omium.tui.dialogs import Field, Form
from omium.tui.editor import edit_text
from omium.tui.node_form import NodeForm
from omium.tui.pages.document import DocumentPage
from omium.tui.pages.workflow_tabs import WorkflowTabs
from omium.tui.refilling import Again, Values, ask_form
from omium.tui.running import start_workflow
from omium.tui.spec_text import as_json, to_text
from omium.tui.widgets.graph_view import GraphView
from omium.tui.widgets.listing import Listing

EDIT_NODE: Final = Action(
    "edit_node", "m", "change node", "Change the node's prompts and policies in a form.", "Act",
    scope=Scope.MANAGE, changes=True,
)  # fmt: skip
EDIT_HERE: Final = Action(
    "edit_here", "E", "edit here", "Edit the document here, checked while you type.", "Act",
    scope=Scope.MANAGE, changes=True,
)  # fmt: skip
EDIT: Final = Action(
    "edit", "e", "editor", "Edit the document in your $EDITOR; shows what changes before it is saved.", "Act",
    scope=Scope.MANAGE, changes=True, local=True,
)  # fmt: skip
WRITE: Final = Action(
    "write", "W", "write", "Write the document into a file of this machine.", local=True, shown=False
)


class WorkflowDeeds(WorkflowTabs):
    """The actions of a workflow's page that are about the workflow itself."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.looked_at: int | None = None
        """The version that is shown instead of the active one."""

    def action_start(self) -> None:
        """Run it."""
        start_workflow(self, self.address)

    def action_edit_here(self) -> None:
        """Edit the document here."""
        if self.version is not None:
            self._edit(to_text(self.version.document))

    def action_edit(self) -> None:
        """Edit the document in $EDITOR."""
        if self.version is not None:
            original = to_text(self.version.document)
            text = edit_text(self.app, original, ".json")
            if text == original:
                self.notify("Nothing was changed.")
            elif text is not None:
                self._edit(text)

    def action_edit_node(self) -> None:
        """Change the node that is pointed at in a form."""
        path = self.query_one("#graph", GraphView).pointed
        if self.version is None or path is None:
            return
        form = NodeForm(as_json(self.version.document), path)

        def use(values: Values, _: Again) -> None:
            self._edit(to_text(form.apply(values)))

        ask_form(self, f"Change {path}", form.fields(), use, send="Look at the change")

    def _edit(self, text: str) -> None:
        """Show the document with `text`, to be checked and saved."""
        assert self.version is not None
        assert self.detail is not None
        # an older version is edited on top of what is active: the review says what that changes
        version = self.detail.version if self.looked_at is not None else self.version.version
        original = to_text(self.version.document)
        self.app.push_screen(DocumentPage(text, name=self.name_, version=version, original=original))

    def action_archive(self) -> None:
        """Archive it, or take it back."""
        if self.detail is not None:
            archive_or_unarchive(self, [self.detail])

    def action_write(self) -> None:
        """Write the document into a file."""
        field = Field("file", "File", value=f"{Path(self.name_).name}.json", required=True)
        self.app.push_screen(Form("Write the document into a file", [field], send="Write"), self._write)

    def _write(self, given: Mapping[str, str] | None) -> None:
        if given is None or self.version is None:
            return
        version, file = self.version, Path(os.path.expanduser(given["file"].strip()))  # noqa: PTH111 -- never raises
        if file.exists():
            self.ask(
                f"Overwrite {file}?",
                "What it holds is gone then.",
                partial(self._put, version, file),
                yes="Overwrite",
            )
        else:
            self._put(version, file)

    def _put(self, version: WorkflowVersionDocument, file: Path) -> None:
        try:
            file.write_text(to_text(version.document), encoding="utf-8")
        except (OSError, ValueError) as error:
            self.notify(safe(f"Cannot write {file}: {error}"), severity="error", markup=False)
        else:
            self.notify(safe(f"Version {version.version} is in {file}."), markup=False)

    def action_copy(self) -> None:
        """Copy the document, an id, or the name."""
        if self.tab == "document" and self.version is not None:
            self.copy_text(to_text(self.version.document), "the document")
            return
        copied = self.name_
        if self.tab in {"runs", "starts"}:
            found: Listing[Any] = self.query_one(f"#{self.tab}", Listing)
            copied = getattr(found.pointed, "id", copied)
        self.copy_text(copied, copied)
