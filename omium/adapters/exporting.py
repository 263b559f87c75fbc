"""Exporting: which framework an object is of, and its adapter. No framework is imported to find that out.

Owns the names by which objects are known (the modules and names of their classes), what a name in a user's
module may stand for (an object, a class, a function without arguments that makes one), and which adapter
exports it. What a document says is each adapter's own (`export.py`).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from omium.adapters.factories import call_factory
from omium.errors import ConfigError
from omium.jsonvalue import JsonValue


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework whose objects are exported; `roots` are packages of its own."""

    name: str
    called: str
    roots: frozenset[str]
    classes: frozenset[str]
    """Names of the classes whose objects are exported; classes of the user's own may extend them."""
    adapter: str
    export: str
    """`module:function` in the adapter."""
    extra: str

    @property
    def pip(self) -> str:
        """The command line that installs it."""
        return f"pip install 'omium-os[{self.extra}]'"


def _framework(
    name: str, called: str, roots: str, classes: str, adapter: str, export: str, extra: str
) -> Framework:
    own = frozenset({*roots.split(), f"omium.adapters.{adapter}"})
    return Framework(
        name, called, own, frozenset(classes.split()), f"omium.adapters.{adapter}", export, extra
    )


FRAMEWORKS: Final = (
    _framework("crewai", "CrewAI", "crewai", "Crew Flow InstrumentedCrew InstrumentedFlow", "crew",
               "export:export_workflow", "crewai"),
    _framework("langgraph", "LangGraph", "langgraph", "Pregel StateGraph InstrumentedGraph", "langgraph",
               "export:export_graph", "langgraph"),
    _framework("sematic", "Sematic", "sematic", "AbstractFuture Function InstrumentedPipeline", "sematic",
               "export:export_pipeline", "sematic"),
    _framework("semantic_kernel", "Semantic Kernel", "semantic_kernel",
               "Agent KernelProcess ProcessBuilder InstrumentedAgent InstrumentedProcess", "semantic_kernel",
               "export:export_workflow", "semantic-kernel"),
    _framework("openai_agents", "the OpenAI Agents SDK", "agents", "Agent InstrumentedAgent", "openai_agents",
               "export:export_workflow", "openai-agents"),
    _framework("haystack", "Haystack", "haystack", "Pipeline AsyncPipeline InstrumentedPipeline", "haystack",
               "export:export_workflow", "haystack"),
    _framework("llama_index", "LlamaIndex", "workflows.workflow llama_index", "Workflow InstrumentedWorkflow",
               "llama_index", "export:export_workflow", "llama-index"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """An object of a framework, as a module names it."""

    framework: Framework
    name: str
    """In its module; empty where it was not named."""
    value: object
    """As the module holds it: the object, or a class or function that makes one."""


def find_framework(value: object) -> Framework | None:
    """Return the framework that `value` is an object of, or a class of the user's own that makes one."""
    if isinstance(value, type):
        if any(_is_under(value.__module__, root) for each in FRAMEWORKS for root in each.roots):
            return None  # the framework's own class, which the module has only imported
        if getattr(value, "is_crew_class", False):  # what @CrewBase leaves on a class
            return FRAMEWORKS[0]
        return _find_by_classes(value.__mro__)
    if getattr(value, "is_crew_class", False) is True:
        return FRAMEWORKS[0]
    return _find_by_classes(type(value).__mro__)


def find_missing(error: ModuleNotFoundError) -> Framework | None:
    """Return the framework that is not installed, where that is why a user's module cannot be imported."""
    root = (error.name or "").partition(".")[0]
    return next((each for each in FRAMEWORKS if root in each.roots), None)


def list_subjects(module: ModuleType) -> list[Subject]:
    """Return what can be exported of a module: objects and classes under public names, each once.

    Of a graph, what it was built from and what `instrument` made of it, the last one stands for all.
    """
    found: dict[int, Subject] = {}
    for name, value in vars(module).items():
        framework = None if name.startswith("_") else find_framework(value)
        if framework is not None:
            found.setdefault(id(value), Subject(framework, name, value))
    sources = {id(each) for subject in found.values() for each in _list_sources(subject.value)}
    return [subject for key, subject in found.items() if key not in sources]


def get_subject(place: str, module: ModuleType, found: object, name: str) -> Subject:
    """Return what the command line named: `found`, or of a module the only thing that can be exported.

    A function without arguments is called to see what it makes. Raises `ConfigError` with the candidates,
    or with the reason why a function makes nothing (factories.py).
    """
    if isinstance(found, ModuleType):
        subjects = list_subjects(module)
        if len(subjects) == 1:
            return subjects[0]
        known = ", ".join(f"{place}:{each.name}" for each in subjects)
        raise ConfigError(
            f"{place} holds {len(subjects)} things to export; name one: {known}."
            if subjects
            else f"{place} holds nothing to export, which would be {_wanted(FRAMEWORKS)}. If a function makes"
            f" one, name it: {place}:FUNCTION."
        )
    framework = find_framework(found)
    made = found if framework is not None else call_factory(found, f"{place}:{name}")
    framework = find_framework(made)
    if framework is None:
        raise ConfigError(
            f"{describe_other(f'{place}:{name}', found, made)} Omium exports {_wanted(FRAMEWORKS)}."
        )
    return Subject(framework, name, made)


def describe_other(target: str, found: object, made: object, verb: str = "export") -> str:
    """Return what `found` is, or what it has `made`, where that is no object of a framework."""
    if made is None and found is not None:
        return f"{target} is a function that returns nothing: let it return the object to {verb}."
    is_or_makes = "is" if made is found else "makes"
    return f"{target} {is_or_makes} {_describe(made)}, which Omium cannot {verb}."


def load_exporter(framework: Framework) -> Callable[..., dict[str, JsonValue]]:
    """Return the function that exports objects of `framework`; imports the framework.

    Raises `ConfigError` with the command line that installs what is missing.
    """
    module, _, function = framework.export.partition(":")
    return load_part(framework, module, function)


def load_part(framework: Framework, module: str, name: str) -> Callable[..., Any]:
    """Return a function of the framework's adapter; `ConfigError` where the framework is not installed."""
    found = find_part(framework, module, name)
    if found is None:
        raise ConfigError(f"Omium has no {module.replace('_', ' ')} for {framework.called}.")
    return found


def find_part(framework: Framework, module: str, name: str) -> Callable[..., Any] | None:
    """Return a function of the framework's adapter, None where the adapter has none of that kind.

    Raises `ConfigError` where the framework is not installed.
    """
    try:
        return getattr(importlib.import_module(f"{framework.adapter}.{module}"), name, None)
    except ModuleNotFoundError as error:
        if error.name in (framework.adapter, f"{framework.adapter}.{module}"):
            return None
        raise ConfigError(f"{framework.called} is not installed here: {framework.pip}") from error


def export(
    subject: Subject, *, name: str | None, entrypoint: str | None, mode: str | None = None, **options: object
) -> dict[str, JsonValue]:
    """Return the document of `subject`; what its adapter raises goes through.

    `mode` asks for one of the two, where the adapter has both. Raises `ConfigError` for options that the
    framework does not have.
    """
    exporter = load_exporter(subject.framework)
    known = inspect.signature(exporter).parameters
    if mode is not None and ("mode" in known or mode != "native"):  # of the others native is the only one
        options["mode"] = mode
    if unknown := sorted(set(options) - set(known)):
        raise ConfigError(f"An export from {subject.framework.called} has no option {unknown[0]}.")
    return exporter(subject.value, name=name, entrypoint=entrypoint, **options)


def _find_by_classes(classes: Iterable[type]) -> Framework | None:
    for cls in classes:
        for framework in FRAMEWORKS:
            if cls.__name__ in framework.classes and any(
                _is_under(cls.__module__, root) for root in framework.roots
            ):
                return framework
    return None


def _is_under(module: str, root: str) -> bool:
    return module == root or module.startswith(f"{root}.")


def _list_sources(value: object) -> list[object]:
    """Return what `value` was made from, as far as it says: the builder of a graph, what was instrumented."""
    if isinstance(value, type):
        return []
    own = getattr(value, "__dict__", {})  # not `getattr`: some objects make up attributes when asked
    return [own[each] for each in ("builder", "source") if own.get(each) is not None]


def _describe(found: object) -> str:
    if isinstance(found, type) or inspect.isroutine(found):
        return f"the {'class' if isinstance(found, type) else 'function'} {found.__qualname__}"
    return f"an object of the class {type(found).__module__}.{type(found).__qualname__}"


def _wanted(frameworks: Iterable[Framework]) -> str:
    called = [each.called for each in frameworks]
    return f"an object of {', '.join(called[:-1])} or {called[-1]}"
