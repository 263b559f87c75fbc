"""An instrumented crew in this process: what it records, what stops it, and what it leaves alone."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from crewai import LLM, Agent, BaseLLM, Crew, Task
from crewai.tasks.conditional_task import ConditionalTask
from crewai.tools import tool
from pydantic import BaseModel

import omium
from omium.adapters.crew import TaskPolicy, instrument
from omium.errors import Cancelled, ConfigError, OutputInvalid

pytestmark = pytest.mark.timeout(300)


class Report(BaseModel):
    title: str


def make_agent(name, **options):
    llm = LLM(model="openai/gpt-4o-mini")
    return Agent(
        role=f"{name.title()}er", goal="Say it", backstory="Brief", llm=llm, max_retry_limit=0, **options
    )


def make_task(name, does, *, agent=None, kind=Task, **options):
    agent = agent or make_agent(name)
    return kind(
        name=name, description=f"About {{topic}}. {does}", expected_output="A line", agent=agent, **options
    )


def make_crew(*tasks, **options):
    agents = list({id(task.agent): task.agent for task in tasks}.values())
    return Crew(agents=agents, tasks=list(tasks), **options)


def say(name, text, **options):
    return make_task(name, f"[[say: {text}]]", **options)


def list_keys(detail):
    return sorted(step["key"] for step in detail["steps"])


def sum_tokens(detail):
    return detail["usage"]["input_tokens"], detail["usage"]["output_tokens"]


def test_tasks_are_steps_and_their_tokens_are_usage(server, model):
    agent = make_agent("write")  # one model for both: CrewAI's own sum counts its tokens twice
    crew = make_crew(say("research", "Otters play.", agent=agent), say("write", "A text.", agent=agent))

    output = instrument(crew, name="report").kickoff({"topic": "otters"})

    assert output.raw == "A text."
    assert [each.raw for each in output.tasks_output] == ["Otters play.", "A text."]
    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("report", "completed")
    assert list_keys(detail) == ["research", "research/model", "write", "write/model"]
    assert detail["usage"]["calls"] == model.calls == 2
    assert sum_tokens(detail) == (model.input_tokens, model.output_tokens)
    assert list(detail["usage"]["by_model"]) == ["openai/gpt-4o-mini"]


class Keeping(BaseLLM):
    """A model of a user's own that tells its tokens as CrewAI's models do, those that are kept, too."""

    def call(self, messages, *_arguments, **_options):
        self._track_token_usage_internal(
            {
                "prompt_tokens": 20,
                "completion_tokens": 4,
                "total_tokens": 24,
                "cached_prompt_tokens": 5,
                "cache_creation_tokens": 3,
            }
        )
        return "A text."


def test_tokens_that_a_provider_keeps_are_told_apart(server):
    writer = Agent(role="Writer", goal="Say it", backstory="Brief", llm=Keeping(model="keeping-1"))
    instrument(make_crew(say("write", "", agent=writer)), name="kept").kickoff({"topic": "otters"})

    used = server.newest()["usage"]
    assert (used["calls"], *sum_tokens(server.newest())) == (1, 20, 4)
    assert (used["cached_tokens"], used["cache_write_tokens"]) == (5, 3)


def test_a_crew_beside_an_instrumented_one_is_left_alone(server, model):
    own = make_crew(say("write", "A text."))
    instrument(make_crew(say("other", "Another.")), name="other")

    @omium.workflow
    def outer():
        return own.kickoff({"topic": "cats"}).raw

    assert own.kickoff({"topic": "otters"}).raw == "A text."
    assert outer() == "A text."
    assert server.newest()["steps"] == []


def test_runs_of_one_crew_beside_each_other_have_their_own_inputs(server, model):
    """Each with the texts as they were written, also behind a run that has filled them in."""
    durable = instrument(make_crew(say("research", "On {topic}.")), name="report")
    assert durable.kickoff({"topic": "tea"}).raw == "On tea."
    topics = [f"topic {number}" for number in range(6)]

    with ThreadPoolExecutor(len(topics)) as pool:
        outputs = list(pool.map(lambda topic: durable.kickoff({"topic": topic}).raw, topics))

    assert outputs == [f"On {topic}." for topic in topics]


def test_a_crew_inside_a_workflow_is_a_scope_of_its_execution(server, model):
    crew = instrument(make_crew(say("write", "A text.")), name="inner")

    @omium.workflow
    def outer():
        return [crew.kickoff({"topic": topic}).raw for topic in ("cats", "dogs")]

    assert outer() == ["A text.", "A text."]
    keys = list_keys(server.newest())
    assert [key for key in keys if key.endswith("/write")] == ["inner#2/write", "inner/write"]


def test_a_task_that_fails_names_its_agent_and_its_task_and_goes_on_when_it_is_resumed(server, model):
    tries = []

    def check(output):
        tries.append(output.raw)
        if len(tries) == 1:
            raise ConnectionError("the printer is away")
        return (True, output.raw)

    crew = make_crew(say("research", "Otters play."), say("publish", "Out.", guardrail=check))
    durable = instrument(crew, name="report")

    with pytest.raises(ConnectionError, match="printer"):
        durable.kickoff({"topic": "otters"})

    failed = server.newest()
    assert failed["status"] == "failed"
    (failure,) = server.get("/v1/failures")["items"]
    assert failure["workflow"] == "report"
    notes = " ".join(failed["error"]["notes"])
    assert "task 'publish' of agent 'Publisher'" in notes
    assert omium.resume(failed["id"]).raw == "Out."
    assert model.count()["Otters play."] == 1


def test_every_kind_of_task_is_recorded_and_a_second_run_asks_nothing(server, model):
    crew = make_crew(
        say("research", "Otters play.", async_execution=True),
        say("check", "never asked", kind=ConditionalTask, condition=lambda output: "badgers" in output.raw),
        say("mend", "Mended.", kind=ConditionalTask, condition=lambda output: True),
        say(
            "write",
            '{"title": "Otters"}',
            output_pydantic=Report,
            guardrail=lambda output: (True, output.raw),
        ),
    )
    durable = instrument(crew, name="kinds")

    output = durable.kickoff({"topic": "otters"})
    asked = model.calls
    again = omium.replay(server.newest()["id"])

    assert output.pydantic == again.pydantic == Report(title="Otters")
    assert [each.raw for each in again.tasks_output] == [each.raw for each in output.tasks_output]
    assert model.calls == asked
    assert "check" not in list_keys(server.newest())
    assert sum_tokens(server.newest()) == (0, 0)


def test_a_plan_is_made_once(server, model):
    plans = '{"list_of_plans_per_task": [{"task_number": 1, "task": "write", "plan": "First think."}]}'
    model.answers["Task Execution Planner"] = plans
    model.answers["planning agent"] = plans
    crew = make_crew(say("write", "A text."), planning=True, planning_llm=LLM(model="openai/gpt-4o-mini"))
    durable = instrument(crew, name="planned")

    assert durable.kickoff({"topic": "otters"}).raw == "A text."
    asked = model.calls
    assert omium.replay(server.newest()["id"]).raw == "A text."
    assert model.calls == asked == 2


def test_what_a_person_typed_is_not_asked_for_again(server, model, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    tries = []

    def callback(output):
        tries.append(1)
        if len(tries) == 1:
            raise SystemExit("the terminal is closed")

    durable = instrument(
        make_crew(say("write", "A text.", human_input=True, callback=callback)), name="asked"
    )
    with pytest.raises(SystemExit):
        durable.kickoff({"topic": "otters"})
    asked = model.calls

    assert omium.resume(server.newest()["id"]).raw == "A text."
    assert model.calls == asked
    assert "write/answer" in list_keys(server.newest())


@pytest.mark.parametrize("way", ["kickoff", "akickoff"])
def test_a_limit_stops_a_crew_before_the_next_model_call_in_threads_too(server, model, way):
    crew = make_crew(
        say("research", "Otters play.", async_execution=True),
        say("draft", "A draft."),
        say("write", "A text."),
    )
    durable = instrument(crew, name="limited", max_credits="0.125")  # an execution costs 0.1, a step 0.01

    with pytest.raises(omium.Suspended) as stopped:
        if way == "kickoff":
            durable.kickoff({"topic": "otters"})
        else:
            asyncio.run(durable.akickoff({"topic": "otters"}))

    assert stopped.value.reason == "limit"
    assert model.calls < 3
    assert server.newest()["reason"] == "limit"


def test_a_cancel_stops_a_crew_before_the_next_model_call(server, model):
    @tool("stop")
    def stop() -> str:
        """Cancel everything."""
        server.post(f"/v1/executions/{omium.execution_id()}/cancel")
        return "cancelled"

    task = make_task("write", "[[call: stop {}]] [[say: A text.]]", agent=make_agent("write", tools=[stop]))

    with pytest.raises(Cancelled):
        instrument(make_crew(task), name="cancelled").kickoff({"topic": "otters"})

    assert model.asked == ["call stop"]
    assert server.newest()["status"] == "cancelled"


def test_a_tools_error_is_told_to_the_model_and_to_the_inbox(server, model):
    @tool("search")
    def search() -> str:
        """Search."""
        raise LookupError("no index")

    task = make_task(
        "find", "[[call: search {}]] [[say: Nothing found.]]", agent=make_agent("find", tools=[search])
    )

    assert instrument(make_crew(task), name="search").kickoff({"topic": "x"}).raw == "Nothing found."
    (failure,) = server.get("/v1/failures")["items"]
    assert "no index" in str(failure)


def test_an_edited_output_of_a_task_is_taken_and_only_what_follows_runs(server, model):
    durable = instrument(make_crew(say("research", "Otters play."), say("write", "A text.")), name="edited")
    durable.kickoff({"topic": "otters"})
    source = server.newest()

    patch = {"outputs": {"research": {"raw": "Badgers dig."}}}
    output = omium.replay(source["id"], from_step="write", patch=patch)

    assert [each.raw for each in output.tasks_output] == ["Badgers dig.", "A text."]
    assert model.asked == ["Otters play.", "A text.", "A text."]


def test_a_tasks_policy_tries_again(server, model):
    tries = []

    def check(output):
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("not yet")
        return (True, output.raw)

    policy = TaskPolicy(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=0.01))
    crew = make_crew(say("write", "A text.", guardrail=check))

    assert instrument(crew, name="flaky", nodes={"write": policy}).kickoff({"topic": "x"}).raw == "A text."
    (step,) = [step for step in server.newest()["steps"] if step["key"] == "write"]
    assert step["attempt"] == 3


def test_a_task_without_a_record_runs_again_on_resume_and_its_model_is_not_asked_again(server, model):
    tries, checked = [], []

    def check(output):
        checked.append(output.raw)
        return (True, output.raw)

    def fail_once(output):
        tries.append(output.raw)
        if len(tries) == 1:
            raise ConnectionError("the printer is away")
        return (True, output.raw)

    crew = make_crew(say("research", "Otters.", guardrail=check), say("write", "Out.", guardrail=fail_once))
    durable = instrument(crew, name="report", nodes={"research": TaskPolicy(record=False)})
    with pytest.raises(ConnectionError):
        durable.kickoff({"topic": "otters"})

    assert omium.resume(server.newest()["id"]).raw == "Out."
    assert checked == ["Otters.", "Otters."]
    assert model.count()["Otters."] == 1


def test_an_output_that_is_not_as_its_schema_asks_fails_its_task(server, model):
    schema = {"type": "object", "properties": {"raw": {"pattern": "^[0-9]+$"}}}
    policy = TaskPolicy(output_schema=schema, retry=3)
    crew = make_crew(say("research", "Otters play."), say("write", "A text."))

    with pytest.raises(OutputInvalid, match=r"step research .*: /raw: "):
        instrument(crew, name="report", nodes={"research": policy}).kickoff({"topic": "otters"})

    assert model.asked == ["Otters play."]
    assert server.newest()["status"] == "failed"


def test_a_policy_for_a_task_that_is_not_there_is_refused(server):
    with pytest.raises(ConfigError, match="no node 'wriet'"):
        instrument(make_crew(say("write", "A text.")), nodes={"wriet": TaskPolicy()})
