"""`omium export`, `export-crew`, `export-langgraph`, `export-sematic`: a framework's object as a document.

Owns what is printed of it: the document on stdout and nothing else, whatever the user's module prints; on
stderr which mode it has and why. A stored workflow's own document is `omium workflows export`'s. Which object
is of which framework is omium/adapters/exporting.py.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from omium.cli.context import Common, for_server
from omium.cli.ending import WrongUse
from omium.cli.here import user_file
from omium.cli.stdout import take_stdout
from omium.cli.workflow_documents import refuse, show_changes, show_findings, to_text
from omium.cli.workflows import Note, tell_saved
from omium.errors import ConfigError, OmiumError, SpecInvalid

if TYPE_CHECKING:
    from omium.adapters.exporting import Subject
    from omium.jsonvalue import JsonValue
    from omium.models.workflows import CheckedWorkflow, SavedWorkflow

_SILENT: Final = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
}
"""An export asks nobody: what CrewAI would send when it is imported is turned off."""

_KEY_NAME: Final = re.compile(r"\b[A-Z][A-Z0-9_]*(?:KEY|TOKEN)\b")
"""How an environment variable is called that holds the key of a model, in what a framework raises."""

Target = Annotated[
    str,
    typer.Argument(
        metavar="PATH.py[:OBJECT]", help="An object, a class, or a function that makes one without arguments."
    ),
]
WorkflowName = Annotated[
    str | None, typer.Option("--name", help="The workflow's name. [default: what the object is called]")
]
To = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into this file.")]
Import = Annotated[bool, typer.Option("--import", help="Store it on the server: a new version if changed.")]
Mode = Literal["engine", "native"]
InMode = Annotated[
    Mode | None,
    typer.Option("--mode", help="engine: by the server; native: by a worker. [default: engine if it can]"),
]
Trace = Annotated[bool, typer.Option("--trace", help="Run it once, to see what it builds as it runs.")]


@for_server
def export_found(
    common: Common,
    target: Target,
    name: WorkflowName = None,
    to: To = None,
    store: Import = False,
    mode: InMode = None,
    note: Note = "",
) -> None:
    """Export a crew, graph, pipeline or agent as a workflow.

    Which framework it is of is found out. Without OBJECT the only one in the file. The document is printed
    on stdout; nothing runs, and no model's key is needed. What is stored: omium workflows export NAME.

    \b
    omium export crew.py:crew > research.json
    omium export graph.py --import
    """
    _export(common, target, None, Wanted(name, to, store=store, note=note, mode=mode))


@for_server
def export_crew(
    common: Common,
    target: Target,
    name: WorkflowName = None,
    to: To = None,
    store: Import = False,
    mode: InMode = None,
    note: Note = "",
) -> None:
    """Export a crew or a flow of CrewAI as a workflow.

    \b
    omium export-crew crew.py:crew -o research.json
    omium export-crew crew.py:ResearchCrew --import
    """
    _export(common, target, "crewai", Wanted(name, to, store=store, note=note, mode=mode))


@for_server
def export_langgraph(
    common: Common,
    target: Target,
    name: WorkflowName = None,
    to: To = None,
    store: Import = False,
    note: Note = "",
) -> None:
    """Export a graph of LangGraph as a workflow.

    \b
    omium export-langgraph graph.py:graph -o support.json
    omium export-langgraph graph.py:make_graph --import
    """
    _export(common, target, "langgraph", Wanted(name, to, store=store, note=note))


@for_server
def export_sematic(
    common: Common,
    target: Target,
    name: WorkflowName = None,
    to: To = None,
    store: Import = False,
    trace: Trace = False,
    note: Note = "",
) -> None:
    """Export a pipeline of Sematic as a workflow.

    What its functions call is known when they run: --trace runs it once, and exports the whole of it.

    \b
    omium export-sematic pipeline.py:pipeline -o train.json
    omium export-sematic pipeline.py:pipeline --trace --import
    """
    options = {"trace": True} if trace else {}
    _export(common, target, "sematic", Wanted(name, to, store=store, note=note, options=options))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a document."""

    name: str | None
    to: Path | None
    store: bool
    note: str = ""
    mode: Mode | None = None
    options: Mapping[str, bool] = field(default_factory=dict)


def _export(common: Common, target: str, framework: str | None, wanted: Wanted) -> None:
    if wanted.to is not None:
        _refuse_overwriting(wanted.to)
    take_stdout()
    document = _read_document(target, framework, wanted)
    _refuse_invalid(common, document)
    if wanted.to is not None:
        try:
            wanted.to.write_text(to_text(document), encoding="utf-8")
        except OSError as error:
            raise WrongUse(f"Cannot write {wanted.to}: {error.strerror}.") from error
    _say_mode(common, document)
    checked, saved = _store(common, document, wanted.note) if wanted.store else (None, None)
    if common.output.as_json and (wanted.to or wanted.store):
        common.output.json(_summary(document, wanted, saved))
    elif wanted.to is None and not wanted.store:
        common.output.show(to_text(document).removesuffix("\n"))
    if not common.output.as_json:
        _say_next(common, document, wanted, checked, saved)


def _refuse_overwriting(to: Path) -> None:
    """End where `to` holds something else than a document, such as the module that is exported."""
    try:
        text = to.read_text(encoding="utf-8") if to.is_file() else ""
        other = text.strip() != "" and not isinstance(json.loads(text), dict)
    except OSError:
        return  # writing says why not
    except ValueError:
        other = True
    if other:
        raise WrongUse(f"{to} is no workflow, and is not written over; name another file.")


def _read_document(target: str, framework: str | None, wanted: Wanted) -> dict[str, JsonValue]:
    """Return the document of what the command line names; everything of the user's module runs in here."""
    from omium.adapters.exporting import get_subject
    from omium.sdk.load_errors import NotLoaded
    from omium.sdk.loading import load_target, split_target

    for name, value in _SILENT.items():
        os.environ.setdefault(name, value)
    try:
        with user_file():
            module, found = load_target(target)
            place, name = split_target(target)
            subject = get_subject(place, module, found, name)
            _refuse_other(subject, framework, target)
            return _export_subject(subject, place, wanted)
    except NotLoaded as error:
        raise ConfigError(f"{error}{_say_key(error.raised, target)}") from error


def _export_subject(subject: Subject, place: str, wanted: Wanted) -> dict[str, JsonValue]:
    """Return the document of `subject`; `NotLoaded` for what the user's own code raises meanwhile."""
    from omium.adapters.exporting import export
    from omium.sdk.load_errors import NotLoaded, say_raised
    from omium.sdk.loading import normal_target

    named = f"{place}:{subject.name}"
    try:
        return export(
            subject,
            name=wanted.name,
            entrypoint=normal_target(named),
            mode=wanted.mode,
            **wanted.options,
        )
    except OmiumError:
        raise
    except Exception as error:  # a boundary: a class of the user's own is made here, and a framework works
        raise NotLoaded(f"{named} cannot be exported: {say_raised(error)}", error) from error


def _say_key(raised: BaseException, target: str) -> str:
    """Return what to do where `raised` may be about the key of a model; else nothing."""
    if (named := _KEY_NAME.search(str(raised))) is not None:
        return (
            " An export calls no model, so a placeholder stands in for a key:"
            f" {named[0]}=placeholder omium export {shlex.quote(target)}"
        )
    return ""


def _refuse_other(subject: Subject, framework: str | None, target: str) -> None:
    if framework is not None and subject.framework.name != framework:
        raise ConfigError(
            f"{target} is of {subject.framework.called}; let that be found out: omium export {target}"
        )


def _refuse_invalid(common: Common, document: dict[str, JsonValue]) -> None:
    """End where an adapter made no valid document: what is wrong is told rather than stored."""
    from omium.spec.check import check_spec

    checked = check_spec(document)
    if checked.spec is None:
        refuse(common.output, [each.to_json() for each in checked.problems])


def _say_mode(common: Common, document: dict[str, JsonValue]) -> None:
    because = _reasons(document)
    if _mode(document) == "engine":
        common.output.say(f"{document['name']}: engine mode, Omium's server runs it without the framework.")
        for provider, models in sorted(_find_models(document).items()):
            common.output.say(
                f"  the server needs the provider {provider}, for {', '.join(models)}: omium providers --help"
            )
        return
    common.output.say(f"{document['name']}: native mode, a worker runs the framework itself.")
    for each in because:
        common.output.say(f"  because: {each}")


def _store(
    common: Common, document: dict[str, JsonValue], note: str
) -> tuple[CheckedWorkflow, SavedWorkflow]:
    """Save the document; the comparison is with what was active just before."""
    from omium.models.workflows import CheckWorkflow, SaveWorkflow

    with common.client() as client:
        try:
            checked = client.check_workflow(CheckWorkflow(document=document))
            return checked, client.save_workflow(SaveWorkflow(document=document, note=note))
        except SpecInvalid as invalid:
            refuse(common.output, invalid.members.get("errors"))


def _say_next(
    common: Common,
    document: dict[str, JsonValue],
    wanted: Wanted,
    checked: CheckedWorkflow | None,
    saved: SavedWorkflow | None,
) -> None:
    if checked is not None and saved is not None:
        if checked.active_version is not None and saved.saved:
            common.output.say(f"{saved.name} from version {checked.active_version} to {saved.version}:")
            show_changes(common.output, checked.changes)
        show_findings(common.output, [each.model_dump() for each in checked.warnings])
        tell_saved(common, saved.model_copy(update={"warnings": []}))
        if _mode(document) == "native":
            common.output.say(f"Let a worker serve it: omium worker {_entrypoint(document)}")
    elif wanted.to is not None:
        common.output.say(f"It is in {wanted.to}. Store it: omium workflows import {wanted.to}")


def _summary(
    document: dict[str, JsonValue], wanted: Wanted, saved: SavedWorkflow | None
) -> dict[str, object]:
    return {
        "name": document["name"],
        "mode": _mode(document),
        "because": _reasons(document),
        "entrypoint": _entrypoint(document),
        "file": str(wanted.to) if wanted.to is not None else None,
        "id": saved.id if saved is not None else None,
        "version": saved.version if saved is not None else None,
        "saved": saved.saved if saved is not None else False,
    }


def _mode(document: dict[str, JsonValue]) -> str:
    return str(_runtime(document).get("mode", "engine"))


def _find_models(document: dict[str, JsonValue]) -> dict[str, list[str]]:
    """Return the models that the document's agents ask for, by the provider that has to answer."""
    agents = document.get("agents")
    found: dict[str, list[str]] = {}
    for agent in agents.values() if isinstance(agents, dict) else ():
        llm = agent.get("llm") if isinstance(agent, dict) else None
        if isinstance(llm, dict) and "provider" in llm:
            models = found.setdefault(str(llm["provider"]), [])
            model = str(llm.get("model") or "its default model")
            if model not in models:
                models.append(model)
    return found


def _entrypoint(document: dict[str, JsonValue]) -> str:
    return str(_runtime(document).get("entrypoint") or "PATH.py:OBJECT")


def _runtime(document: dict[str, JsonValue]) -> dict[str, JsonValue]:
    found = document.get("runtime")
    return found if isinstance(found, dict) else {}


def _reasons(document: dict[str, JsonValue]) -> list[str]:
    found = document.get("x-native-because") or _runtime(document).get("x-native-because")
    return [str(each) for each in found] if isinstance(found, list) else []
