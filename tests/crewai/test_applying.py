"""An edited spec is put onto a copy of the crew: what was edited, nothing else, and not onto the original."""

import pytest
from crewai import Crew

from omium import Concurrency
from omium.adapters.crew import TaskPolicy, instrument
from omium.adapters.crew.applying import apply_spec
from omium.adapters.crew.export import export_workflow
from omium.adapters.crew.naming import name_nodes
from omium.errors import ConfigError
from omium.jsonvalue import json_bytes, parse_json
from omium.retry import RetryPolicy
from omium.spec.check import load_spec
from tests.crewai.kinds import CREWS, FLOWS, make_agent, make_task, pair

ALL = {**CREWS, **FLOWS}


def edit(obj, *edits):
    """Return the spec of `obj` with values at pointers; what is None is taken away."""
    document = parse_json(json_bytes(export_workflow(obj, name="edited", mode="native")))
    for pointer, value in edits:
        *way, last = pointer.strip("/").split("/")
        place = document
        for part in way:
            if isinstance(place, list):
                place = next((each for each in place if each.get("id") == part), None) or place[int(part)]
            else:
                place = place.setdefault(part, {})
        if value is None:
            place.pop(last) if isinstance(place, dict) else place.pop(int(last))
        elif isinstance(place, list):
            place.append(value)
        else:
            place[last] = value
    return load_spec(document)


@pytest.mark.parametrize("kind", ALL)
def test_what_nobody_edited_applies_to_every_kind_and_exports_the_same(kind):
    made = ALL[kind]()

    applied = apply_spec(made, edit(made))

    assert json_bytes(export_workflow(applied, name="x")) == json_bytes(export_workflow(made, name="x"))
    assert applied.policies == {}


EDITS = [
    ("/agents/Writer/role", "Poet", lambda crew: crew.agents[1].role),
    ("/agents/Writer/goal", "Sing of {topic}", lambda crew: crew.agents[1].goal),
    ("/agents/Writer/backstory", "", lambda crew: crew.agents[1].backstory),
    ("/agents/Writer/max_turns", 3, lambda crew: crew.agents[1].max_iter),
    ("/agents/Writer/allow_delegation", True, lambda crew: crew.agents[1].allow_delegation),
    ("/agents/Writer/llm/model", "gpt-tiny-2", lambda crew: crew.agents[1].llm.model),
    ("/agents/Writer/llm/parameters/temperature", 0.9, lambda crew: crew.agents[1].llm.temperature),
    ("/agents/Writer/llm/parameters/seed", 5, lambda crew: crew.agents[1].llm.seed),
    ("/nodes/write/parameters/description", "Sing {topic}", lambda crew: crew.tasks[1].description),
    ("/nodes/write/parameters/expected_output", "A song", lambda crew: crew.tasks[1].expected_output),
    ("/nodes/write/parameters/human_input", True, lambda crew: crew.tasks[1].human_input),
]


@pytest.mark.parametrize(("pointer", "value", "read"), EDITS, ids=[each[0] for each in EDITS])
def test_an_edit_is_in_the_copy_and_not_in_the_original(pointer, value, read):
    crew = pair()
    before, exported = read(crew), export_workflow(crew, mode="native")

    spec = edit(crew, (pointer, value))
    applied = apply_spec(crew, spec)

    assert read(applied.subject) == value
    assert read(crew) == before != value
    assert export_workflow(crew, mode="native") == exported
    again = load_spec(export_workflow(applied, name="edited", mode="native"))
    assert {**again.form(), "x-native-because": []} == {**spec.form(), "x-native-because": []}


def test_a_parameter_that_was_taken_away_has_its_default_again():
    crew = CREWS["parameters_of_models"]()

    parts = edit(crew, ("/agents/Researcher/llm/parameters/temperature", None))
    none = edit(crew, ("/agents/Researcher/llm/parameters", None))

    assert apply_spec(crew, parts).subject.agents[0].llm.temperature is None
    assert apply_spec(crew, parts).subject.agents[0].llm.seed == 7
    assert apply_spec(crew, none).subject.agents[0].llm.seed is None
    assert crew.agents[0].llm.temperature == 0.25


def test_a_model_that_is_edited_keeps_its_address_and_its_key():
    crew = pair()

    model = apply_spec(crew, edit(crew, ("/agents/Writer/llm/model", "gpt-tiny-2"))).subject.agents[1].llm

    assert (model.base_url, model.api_key) == (crew.agents[1].llm.base_url, "sk-none")
    assert crew.agents[1].llm is crew.agents[0].llm
    assert model is not crew.agents[1].llm


def test_an_edit_after_a_kickoff_holds_at_the_next_one():
    crew = pair()
    crew._interpolate_inputs({"topic": "tea"})
    spec = edit(crew, ("/nodes/write/parameters/description", "Sing of {topic}"))

    copied = apply_spec(crew, spec).subject
    copied._interpolate_inputs({"topic": "coffee"})

    assert copied.tasks[1].description == "Sing of coffee"
    assert copied.tasks[0].description == "Find facts on coffee"
    assert crew.tasks[0].description == "Find facts on tea"


def test_ids_stay_when_the_role_that_gave_them_was_edited():
    crew = CREWS["one_agent_twice"]()

    applied = apply_spec(crew, edit(crew, ("/agents/Researcher/role", "Reader")))

    assert list(name_nodes(applied.subject)) == list(name_nodes(crew)) == ["Researcher", "Researcher-2"]
    assert list(export_workflow(applied)["agents"]) == ["Researcher"]


def test_agents_and_tasks_that_read_the_same_stay_two():
    crew = CREWS["two_alike"]()

    copied = apply_spec(crew, edit(crew, ("/agents/Researcher-2/goal", "Other"))).subject

    assert [agent.goal for agent in copied.agents] == ["Find facts on {topic}", "Other"]
    assert [task.agent for task in copied.tasks] == copied.agents
    assert copied.tasks[0].agent is copied.agents[0]


def test_contexts_and_the_manager_are_those_of_the_copy():
    listed = apply_spec(*_with_spec(CREWS["listed_contexts"]())).subject
    led = apply_spec(*_with_spec(CREWS["hierarchical_with_an_agent"]())).subject

    assert listed.tasks[2].context[0] is listed.tasks[1]
    assert led.manager_agent.role == "Editor in chief"
    assert all(led.manager_agent is not each for each in led.agents)


def _with_spec(crew):
    return crew, edit(crew)


def test_policies_of_nodes_are_handed_on():
    crew = pair()
    spec = edit(
        crew,
        ("/nodes/write/retry", {"max_attempts": 5, "initial_delay_s": 0.5}),
        ("/nodes/write/timeout_s", 30),
        ("/nodes/write/breaker", "models"),
        ("/nodes/write/concurrency", {"key": "models", "limit": 3}),
        ("/nodes/research/checkpoint", {"enabled": False}),
        ("/nodes/write/checkpoint", {"payload": {"required": ["raw"]}}),
        ("/breakers/models", {"min_calls": 3}),
    )

    policies = apply_spec(crew, spec).policies

    assert policies["write"].retry == RetryPolicy(max_attempts=5, initial_delay_s=0.5)
    assert (policies["write"].timeout_s, policies["write"].breaker) == (30, "models")
    assert policies["write"].concurrency == Concurrency("models", 3)
    assert (policies["research"].record, policies["write"].record) == (False, True)
    assert policies["write"].output_schema == {"required": ["raw"]}


def test_policies_of_a_flow_are_handed_on_and_its_class_stays():
    flow = FLOWS["Router"]()

    applied = apply_spec(flow, edit(flow, ("/nodes/judge/timeout_s", 5)))

    assert applied.subject is flow
    assert applied.policies["judge"].timeout_s == 5


REFUSED = [
    ("/agents/Writer/llm/provider", "anthropic", "/agents/Writer/llm/provider"),
    ("/agents/Writer/llm/parameters/colour", "red", "/agents/Writer/llm/parameters"),
    ("/agents/New", {"role": "New"}, "/agents/New"),
    ("/agents/Writer/x-max-rpm", 5, None),
    ("/nodes/write/outputs", {"type": "string"}, "/nodes/1/outputs"),
    ("/nodes/write/parameters/async_execution", True, "/nodes/1/parameters/async_execution"),
    ("/nodes/write/agent", "Researcher", "/nodes/1/agent"),
    ("/nodes/write/compensate", "undo", "/nodes/1/compensate"),
    ("/nodes/write/x-context", "none", "/nodes/1/x-context"),
    ("/nodes/1", None, "/outputs"),
    ("/nodes/-", {"id": "more", "type": "function"}, "/nodes/2"),
    ("/edges/-", {"from": "write", "to": "research"}, "/edges/write->research"),
    ("/process", "hierarchical", "/process"),
    ("/inputs/title", "Other", None),
]


@pytest.mark.parametrize(("pointer", "value", "told"), REFUSED, ids=[each[0] for each in REFUSED])
def test_an_edit_that_has_no_place_in_crewai_is_refused_with_its_pointer(pointer, value, told):
    crew = pair()
    if pointer == "/nodes/1":
        spec = edit(crew, ("/nodes/1", None), ("/edges/0", None), ("/outputs", None))
    else:
        spec = edit(crew, (pointer, value))

    if told is None:  # an `x-` field of one's own means nothing to anybody, and inputs are judged at a start
        apply_spec(crew, spec)
        return
    with pytest.raises(ConfigError) as refused:
        apply_spec(crew, spec)
    assert str(refused.value).startswith(f"{told} cannot be applied to the code that is served")


def test_each_edit_that_has_no_place_is_named():
    crew = pair()

    with pytest.raises(ConfigError) as refused:
        apply_spec(crew, edit(crew, ("/process", "hierarchical"), ("/nodes/write/agent", "Researcher")))
    told = [part.split()[0] for part in str(refused.value).split("; ")]
    assert sorted(told) == ["/nodes/1/agent", "/process"]
    assert str(refused.value).count("export it again") == 1


def test_a_flow_has_no_prompts_to_edit():
    flow = FLOWS["Chain"]()

    with pytest.raises(ConfigError, match="/nodes/0/ref/ref cannot be applied"):
        apply_spec(flow, edit(flow, ("/nodes/collect/ref/ref", "other:method")))


def test_a_mask_is_never_put_into_a_prompt():
    writer = make_agent("Writer", goal="Sign with sk-proj-9fK2mQ7xLw3RzT8vB1nC4dE6")
    crew = Crew(agents=[writer], tasks=[make_task(agent=writer)])
    spec = edit(crew, ("/agents/Writer/goal", "Always sign with [redacted]"))

    with pytest.raises(ConfigError, match="stands for a secret that was not exported"):
        apply_spec(crew, spec)
    assert "sk-proj" in apply_spec(crew, edit(crew)).subject.agents[0].goal


def test_a_workflow_of_the_engine_has_no_crew_to_edit():
    crew = pair()

    with pytest.raises(ConfigError, match="/runtime/mode is engine"):
        apply_spec(crew, load_spec(export_workflow(crew)))


def test_a_crew_whose_outputs_are_judged_is_crewais_to_run():
    schema = {"required": ["raw"]}
    mine = instrument(pair(), name="mine", nodes={"write": TaskPolicy(output_schema=schema)})

    document = export_workflow(mine)

    assert document["runtime"]["mode"] == "native"
    assert document["x-native-because"] == ["The output of write is judged by a schema, as CrewAI gives it."]
    assert document["nodes"][1]["checkpoint"] == {"payload": schema}
    assert apply_spec(mine, load_spec(document)).policies["write"].output_schema == schema


def test_what_was_instrumented_is_exported_with_its_policies_and_keeps_its_settings(server):
    mine = instrument(
        pair(),
        name="mine",
        nodes={
            "write": TaskPolicy(retry=4, breaker="models", concurrency=Concurrency("models", 2), record=False)
        },
        timeout_s=60,
        effects=["search"],
        queue="slow",
    )

    document = export_workflow(mine, mode="native")
    spec = load_spec({**document, "agents": {**document["agents"]}})
    again = instrument(apply_spec(mine, spec), name="again")

    assert document["nodes"][0]["timeout_s"] == 60
    assert document["nodes"][1]["retry"]["max_attempts"] == 4
    assert (document["nodes"][1]["breaker"], document["breakers"]) == ("models", {"models": {}})
    assert document["nodes"][1]["checkpoint"] == {"enabled": False}
    assert again.policies["write"] == TaskPolicy(
        retry=RetryPolicy(max_attempts=4),
        breaker="models",
        concurrency=Concurrency("models", 2),
        record=False,
    )
    assert again.policies["research"] == TaskPolicy(timeout_s=60)
    assert (again.effects, again.options["queue"]) == (frozenset({"search"}), "slow")
