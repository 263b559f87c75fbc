"""What is done with versions of a workflow: compared, made active again, tagged.

`address` is what the server finds the workflow by, its id or name; `name` is what people read.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from omium.models.workflows import (
    RestoreWorkflow,
    SavedWorkflow,
    TagWorkflow,
    WorkflowDifference,
    WorkflowTag,
    WorkflowVersion,
)
from omium.states import Scope
from omium.tui.actions import Action
from omium.tui.asking import Asking
from omium.tui.choosing import Choice, Choose
from omium.tui.content import safe
from omium.tui.dialogs import Field
from omium.tui.refilling import Again, Values, ask_form
from omium.tui.reviewing import Comparison, Review, changes_text

RESTORE: Final = Action(
    "restore",
    "R",
    "restore",
    "Make this version the active one again, as a new version: shows what changes.",
    "Act",
    scope=Scope.MANAGE,
    changes=True,
)
TAG: Final = Action(
    "tag",
    "plus,insert",
    "tag",
    "Let a word such as prod name this version.",
    "Act",
    scope=Scope.MANAGE,
    changes=True,
)
UNTAG: Final = Action(
    "untag",
    "minus,delete",
    "untag",
    "Forget a tag of this version; the version stays.",
    "Act",
    scope=Scope.MANAGE,
    changes=True,
)


def compare(page: Asking, address: str, before: int, after: int) -> None:
    """Show what one version changed against another."""

    def found(difference: WorkflowDifference) -> None:
        title = f"{difference.name} from version {difference.before} to version {difference.after}"
        page.dashboard.push_screen(Comparison(title, changes_text(difference.changes)))

    page.fetch(
        lambda: page.client.compare_workflow_versions(address, before=before, after=after),
        found,
        name="compare",
    )


def restore(page: Asking, address: str, name: str, active: int, version: int) -> None:
    """Show what changes, and make an earlier version the active one again."""

    def found(difference: WorkflowDifference) -> None:
        title = f"Make version {version} of {name} the active one (now {active})?"
        page.dashboard.push_screen(Review(title, changes_text(difference.changes), save="Restore"), agreed)

    def agreed(note: str | None) -> None:
        if note is not None:
            command = RestoreWorkflow(version=version, note=note, expected_version=active)
            page.act(
                f"Restore version {version} of {name}",
                lambda: page.client.restore_workflow(address, command),
                saved,
            )

    def saved(done: SavedWorkflow) -> None:
        said = f"{done.name} is version {done.version}" + (
            "." if done.saved else "; it is the same workflow, nothing was saved."
        )
        page.dashboard.notify(safe(said), markup=False)
        page.load()

    page.fetch(
        lambda: page.client.compare_workflow_versions(address, before=active, after=version),
        found,
        name="compare",
    )


def tag(page: Asking, address: str, name: str, version: int) -> None:
    """Ask for a word, and let it name a version; a tag that is there is moved."""
    field = Field(
        "tag", "Tag", placeholder="prod", help="A tag that names another version is moved.", required=True
    )

    def use(values: Values, again: Again) -> None:
        word = values["tag"].strip()
        page.act(
            f"Tag version {version} of {name} {word}",
            lambda: page.client.tag_workflow(address, word, TagWorkflow(version=version)),
            tagged,
            failed=again,
        )

    def tagged(done: WorkflowVersion) -> None:
        page.dashboard.notify(safe(f"Version {done.version} is {', '.join(done.tags)}."), markup=False)
        page.load()

    ask_form(page, f"Tag version {version} of {name}", [field], use, send="Tag it")


def untag(page: Asking, address: str, name: str, tags: list[WorkflowTag]) -> None:
    """Forget a tag; of several, ask which."""

    def forget(word: str | None) -> None:
        if word is not None:
            page.act(
                f"Untag {name}@{word}",
                partial(page.client.untag_workflow, address, word),
                said=f"{safe(name)} has no tag {safe(word)} any more.",
            )

    if len(tags) == 1:
        word = tags[0].tag
        page.ask(f"Forget the tag {word}?", "The version stays.", partial(forget, word), yes="Forget it")
    else:
        choices = [Choice(each.tag, each.tag, f"version {each.version}") for each in tags]
        page.dashboard.push_screen(Choose("Which tag is to be forgotten?", choices), forget)
