"""Objects of frameworks are known by the names of their classes; no framework is loaded for that."""

import subprocess
import sys
from types import ModuleType

import pytest

from omium.adapters.exporting import (
    FRAMEWORKS,
    find_framework,
    find_missing,
    get_subject,
    list_subjects,
)
from omium.adapters.factories import call_factory
from omium.errors import ConfigError
from omium.sdk.load_errors import NotLoaded


def class_of(module, name, *bases):
    return type(name, bases, {"__module__": module})


Crew = class_of("crewai.crew", "Crew")
Flow = class_of("crewai.flow.flow", "Flow")
Pregel = class_of("langgraph.pregel.main", "Pregel")
CompiledStateGraph = class_of("langgraph.graph.state", "CompiledStateGraph", Pregel)
StateGraph = class_of("langgraph.graph.state", "StateGraph")
OwnFlow = class_of("mine", "OwnFlow", Flow)
OwnCrew = type("OwnCrew", (), {"__module__": "mine", "is_crew_class": True})
InstrumentedGraph = class_of("omium.adapters.langgraph.instrument", "InstrumentedGraph")


KINDS = {
    "crew": (Crew(), "crewai"),
    "flow": (OwnFlow(), "crewai"),
    "class of a flow": (OwnFlow, "crewai"),
    "class of a crew": (OwnCrew, "crewai"),
    "compiled graph": (CompiledStateGraph(), "langgraph"),
    "graph": (StateGraph(), "langgraph"),
    "instrumented graph": (InstrumentedGraph(), "langgraph"),
    "imported class": (Crew, None),
    "imported base class": (Flow, None),
    "part of a crew": (class_of("crewai.task", "Task")(), None),
    "class of the same name": (class_of("mine.crew", "Crew")(), None),
    "package of a similar name": (class_of("crewai_of_mine", "Crew")(), None),
    "function": (len, None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_framework_of_an_object_or_of_a_class_of_ones_own(kind):
    value, name = KINDS[kind]
    found = find_framework(value)

    assert (found.name if found else None) == name


def module_of(**names):
    made = ModuleType("mine")
    vars(made).update(names)
    return made


def test_a_module_offers_its_public_objects_each_once():
    crew, flow = Crew(), OwnFlow()
    module = module_of(Crew=Crew, crew=crew, the_same=crew, _hidden=Crew(), flow=flow, number=1)

    assert [(each.name, each.value) for each in list_subjects(module)] == [("crew", crew), ("flow", flow)]


def test_what_a_graph_was_built_from_is_not_offered_beside_it():
    builder, graph, instrumented = StateGraph(), CompiledStateGraph(), InstrumentedGraph()
    graph.builder, instrumented.source = builder, graph
    module = module_of(builder=builder, graph=graph, app=instrumented)

    assert [each.name for each in list_subjects(module)] == ["app"]


def test_without_a_name_the_only_object_is_meant_and_several_are_listed():
    crew = Crew()
    only = module_of(crew=crew)
    several = module_of(crew=crew, other=Crew())

    assert get_subject("mine.py", only, only, "").value is crew
    with pytest.raises(ConfigError, match=r"name one: mine\.py:crew, mine\.py:other"):
        get_subject("mine.py", several, several, "")
    with pytest.raises(ConfigError, match=r"mine\.py holds nothing to export"):
        get_subject("mine.py", module_of(), module_of(), "")


def test_a_function_without_arguments_is_asked_what_it_makes():
    crew = Crew()
    module = module_of()

    assert get_subject("mine.py", module, lambda: crew, "make").value is crew
    with pytest.raises(ConfigError, match=r"mine\.py:make makes an object of the class builtins\.int"):
        get_subject("mine.py", module, lambda: 1, "make")
    with pytest.raises(ConfigError, match=r"mine\.py:make is an object of the class builtins\.int"):
        get_subject("mine.py", module, 1, "make")
    with pytest.raises(ConfigError, match=r"returns nothing: let it return the object"):
        get_subject("mine.py", module, lambda: None, "make")


def test_a_function_that_needs_arguments_is_not_called_and_they_are_named():
    def make(llm, *, topic, count=1):
        raise AssertionError("it was called")

    with pytest.raises(ConfigError, match=r"m\.py:make is a function that needs arguments \(llm, topic\)"):
        call_factory(make, "m.py:make")


async def test_an_async_function_is_not_called():
    async def make():
        raise AssertionError("it was called")

    for each in (make, lambda: make()):  # noqa: PLW0108  # one that does not look like it
        with pytest.raises(ConfigError, match=r"m\.py:make is an async function"):
            call_factory(each, "m.py:make")


def test_what_a_function_raises_is_told_and_an_error_of_omium_stays_its_own():
    def make():
        raise ValueError("no key")

    def refuse():
        raise ConfigError("There is no node.")

    with pytest.raises(NotLoaded, match=r"m\.py:make makes nothing: ValueError: no key\."):
        call_factory(make, "m.py:make")
    with pytest.raises(ConfigError, match=r"^There is no node\.$"):
        call_factory(refuse, "m.py:refuse")


def test_a_missing_framework_is_told_with_the_line_that_installs_it():
    found = find_missing(ModuleNotFoundError("No module named 'crewai.flow'", name="crewai.flow"))

    assert found is not None
    assert found.pip == "pip install 'omium-os[crewai]'"
    assert find_missing(ModuleNotFoundError("No module named 'requests'", name="requests")) is None


def test_no_framework_is_imported_to_find_out():
    roots = sorted({root for each in FRAMEWORKS for root in each.roots if not root.startswith("omium")})
    code = (
        "import sys; import omium.adapters.exporting, omium.adapters.native\n"
        f"print([each for each in {roots} if each in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
