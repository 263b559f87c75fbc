"""Native mode: a framework's own object, served by a worker, as the versions of its stored spec say.

Owns the workflow that stands for an object on a worker's command line: its inputs are the spec's, what runs
is what the adapter's `instrument` made of the object. For an execution that is pinned to a version, its
`apply_spec` makes a copy with that version's prompts and policies first; the object itself is never changed,
so executions of several versions run side by side. What a version says that the object cannot follow (another
node, another edge) is refused with a sentence (native_edits.py), not ignored.

A spec brings no code: its refs and its entrypoint are names to compare, and nothing is imported for them.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Collection
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from omium.adapters.exporting import (
    Framework,
    Subject,
    describe_other,
    export,
    find_framework,
    find_missing,
    find_part,
    list_subjects,
    load_part,
)
from omium.adapters.factories import NotAFactory, call_factory, is_factory
from omium.adapters.native_edits import refuse_other_code, refuse_unfollowed
from omium.adapters.native_inputs import take_either, take_inputs
from omium.errors import ConfigError
from omium.sdk.decorators import workflow
from omium.sdk.handlers import find_handlers
from omium.sdk.load_errors import NotInFile, NotLoaded, say_known
from omium.sdk.loading import find_workflows, normal_target, split_target
from omium.sdk.options import WorkflowOptions
from omium.sdk.registry import ATTRIBUTE, REGISTRY, PinnedVersion, Workflow, find_workflow
from omium.sdk.session import current_session
from omium.spec.check import load_spec, restore_spec
from omium.spec.document import Spec
from omium.spec.problems import find_close
from omium.spec.reading_order import in_reading_order

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT: Final = 32
"""Versions of one object that are kept made: each holds a copy of it."""

_ITSELF: Final = "To serve the function itself, put @omium.workflow or @omium.handler on it."
_NOTHING: Final = "workflow and no framework's object"

_registering = threading.Lock()
_log = logging.getLogger("omium.worker")


def adopt(target: str, module: ModuleType, found: object) -> dict[str, Workflow]:
    """Return the workflows by name of the frameworks' objects that `found` is, or holds if it's a module.

    What an adapter raises goes through where its object was named. Of a module, an object that cannot be
    served, or whose name is taken, is left out with a warning: it may be a part of the module's workflows.
    """
    place, name = split_target(target)
    if not isinstance(found, ModuleType):
        subject = _find_subject(found, place, name)
        made = serve(subject, place, module) if subject is not None else None
        return {made.name: made} if made is not None else {}
    adopted: dict[str, Workflow] = {}
    taken = set(find_workflows(found))
    for subject in list_subjects(module):
        try:
            made = serve(subject, place, module, taken)
        except Exception as error:  # a boundary: anything may come out of a framework
            _log.warning("%s:%s is not served. %s", place, subject.name, error)
        else:
            adopted[made.name] = made
            taken.add(made.name)
    return adopted


def _find_subject(found: object, place: str, name: str) -> Subject | None:
    """Return the object of a framework that the command line named, or that the named function makes."""
    if find_handlers(found) or (find_workflow(found) is not None and find_framework(found) is None):
        return None
    value = found if find_framework(found) is not None else _call_factory(found, f"{place}:{name}")
    framework = find_framework(value)
    return Subject(framework, name, value) if framework is not None else None


def _call_factory(found: object, target: str) -> object:
    """Return what a named function makes, or `found`; `ConfigError` for a function that makes no object."""
    try:
        made = call_factory(found, target)
    except NotAFactory as error:
        raise ConfigError(f"{error} {_ITSELF}") from error
    if is_factory(found) and find_framework(made) is None:
        raise ConfigError(f"{describe_other(target, found, made, 'serve')} {_ITSELF}")
    return made


@contextmanager
def missing_told() -> Iterator[None]:
    """Tell what a user's file lacks in words of the frameworks: one to be installed, objects it does have."""
    try:
        yield
    except NotLoaded as error:
        raised = error.raised
        missing = find_missing(raised) if isinstance(raised, ModuleNotFoundError) else None
        if missing is None:
            raise
        assert isinstance(raised, ModuleNotFoundError), "found by its name"
        raise ConfigError(
            f"{raised.name} is not installed in this Python, and the file needs it: {missing.pip}"
        ) from error
    except NotInFile as error:
        module = error.module
        known = sorted({*find_workflows(module), *(each.name for each in list_subjects(module))})
        near = find_close(error.name, sorted({*known, *_list_functions(module)}))
        told = f"Did you mean {error.place}:{near}?" if near else say_known(error.name, known, _NOTHING)
        raise ConfigError(f"There is no {error.name!r} in {error.place}. {told}") from error


def _list_functions(module: ModuleType) -> list[str]:
    """Return the functions and handlers that the module defines: one of them may make the object."""
    return [
        name
        for name, value in vars(module).items()
        if name[0] != "_" and is_factory(value) and getattr(value, "__module__", None) == module.__name__
    ]


def serve(subject: Subject, place: str, module: ModuleType, taken: Collection[str] = ()) -> Workflow:
    """Return the workflow that stands for `subject` as it is; its `versions` make it as a spec says.

    Raises `ConfigError` for a name that is `taken`, unless the object itself has taken it.
    """
    entrypoint = normal_target(f"{place}:{subject.name}")
    own = find_workflow(subject.value)
    name = own.name if own is not None else _name(subject, entrypoint)
    if own is None and name in taken:
        raise ConfigError(f"Something else in {place} is called {name}; serve this alone: {entrypoint}")
    versions = Served(subject, entrypoint, _list_entrypoints(place, subject.name), module)
    if own is None:
        made = _as_workflow(subject.framework, subject.value, name, module, subject.name)
        return replace(made, versions=versions)
    made = own
    if not getattr(subject.value, "takes_by_name", False):
        function = take_either(own, functools.partial(_list_declared, subject, entrypoint))
        made = _declare(own.options, name, function, module, subject.name)
    made = replace(made, options=own.options, versions=versions)
    REGISTRY.workflows[made.name] = made  # so that this process goes on with it as a worker would
    return made


def _list_declared(subject: Subject, entrypoint: str) -> frozenset[str]:
    """Return the names of the inputs that an export of `subject` has; none where it has no export."""
    try:
        inputs = export(subject, name=None, entrypoint=entrypoint).get("inputs")
    except Exception as error:  # a boundary: anything may come out of a framework
        _log.debug("%s has no document: %s", entrypoint, error)
        return frozenset()
    properties = inputs.get("properties") if isinstance(inputs, dict) else None
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


class Served:
    """One object, and what was made of it for the versions of its specs (`omium.sdk.registry.Versions`)."""

    def __init__(
        self, subject: Subject, entrypoint: str, entrypoints: frozenset[str], module: ModuleType
    ) -> None:
        self.entrypoints = entrypoints
        self._subject = subject
        self._entrypoint = entrypoint
        self._module = module
        self._lock = threading.Lock()
        self._made: dict[str, Workflow] = {}

    def find(self, digest: str) -> Workflow | None:
        """Return what was made for a version before."""
        return self._made.get(digest)

    def make(self, version: PinnedVersion) -> Workflow:
        """Return the object as `version` says; `ConfigError` for what it cannot follow."""
        with self._lock:  # of several executions that begin at once the first makes it
            made = self._made.get(version.digest)
            if made is None:
                made = self._make(version)
                self._made[version.digest] = made
                while len(self._made) > KEPT:
                    self._made.pop(next(iter(self._made)))
        return made

    def _make(self, version: PinnedVersion) -> Workflow:
        # As `omium workflows export` prints it: what is refused is named by its place in there.
        document = in_reading_order(version.document)
        spec = restore_spec(document)
        told = f"{version.workflow} version {version.number}"
        framework = self._subject.framework
        exported = self._export(self._subject.value, spec)
        # What only a run of the object can tell is not exported without one.
        without_trace = find_part(framework, "applying", "without_trace")
        compared = restore_spec(without_trace(document)) if without_trace is not None else spec
        changed = refuse_other_code(exported, compared, told)
        apply_spec = find_part(framework, "applying", "apply_spec")
        if apply_spec is None:
            refuse_unfollowed(exported, compared, told, policies=True)
            applied = self._subject.value
        else:
            applied = apply_spec(self._subject.value, spec)
            if changed:
                refuse_unfollowed(self._export(applied, spec), compared, told)
        _declare_breakers(spec)
        with _registry_kept(version.workflow):
            return _as_workflow(framework, applied, version.workflow, self._module, self._subject.name)

    def _export(self, value: object, spec: Spec) -> Spec:
        subject = replace(self._subject, value=value)
        document = export(subject, name=spec.name, entrypoint=spec.runtime.entrypoint, mode="native")
        return load_spec(document)


def _name(subject: Subject, entrypoint: str) -> str:
    """Return the name that an export of `subject` has: what is stored under it is run by this object."""
    return str(export(subject, name=None, entrypoint=entrypoint)["name"])


def _as_workflow(
    framework: Framework, value: object, name: str, module: ModuleType, qualname: str
) -> Workflow:
    """Return a workflow whose arguments are the spec's inputs; what runs is what `instrument` makes.

    `value` is the object itself, or what the adapter's `apply_spec` returned: `instrument` takes both.
    """
    instrumented = load_part(framework, "instrument", "instrument")(value, name=name)
    inner = find_workflow(instrumented)
    assert inner is not None, "what `instrument` returns is a workflow"
    by_name = getattr(instrumented, "takes_by_name", False)
    run = inner.function if by_name else take_inputs(inner.function)
    return _declare(inner.options, name, run, module, qualname)


def _declare(
    options: WorkflowOptions, name: str, run: Callable[..., Any], module: ModuleType, qualname: str
) -> Workflow:
    """Return `run` as a workflow that a worker finds as `qualname` in `module`."""
    run.__module__, run.__qualname__ = module.__name__, qualname
    made = find_workflow(
        workflow(
            name=name,
            durability=options.durability.value if options.durability else None,
            takeover=options.takeover.value,
            queue=options.queue,
            ignore=options.ignore,
        )(run)
    )
    assert made is not None, "it was decorated just now"
    return made


def _declare_breakers(spec: Spec) -> None:
    breakers = current_session().link.breakers
    for name, said in spec.breakers.items():
        breakers.declare(name, {field: value for field, value in said.form().items() if field[:2] != "x-"})


@contextmanager
def _registry_kept(name: str) -> Iterator[None]:
    """Leave the registry as it is: the name stands for the object itself, a version is found by its pin."""
    with _registering:
        before = REGISTRY.workflows.get(name)
        try:
            yield
        finally:
            if before is None:
                REGISTRY.workflows.pop(name, None)
            else:
                REGISTRY.workflows[name] = before


def _list_entrypoints(place: str, name: str) -> frozenset[str]:
    """Return how documents may name an object: as it was typed, from this folder, and in full."""
    targets = {f"{place}:{name}", normal_target(f"{place}:{name}")}
    if place.endswith(".py") or "/" in place:
        targets.add(f"{Path(place).absolute().as_posix()}:{name}")
    return frozenset(targets)


__all__ = ["ATTRIBUTE", "Served", "adopt", "missing_told", "serve"]
