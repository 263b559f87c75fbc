"""Crews and flows of many kinds, each made by a function of its name, for the tests of exporting."""

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

from crewai import LLM, Agent, Crew, Process, Task
from crewai.flow.flow import Flow, and_, listen, or_, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.flow.persistence import persist
from crewai.llms.base_llm import BaseLLM
from crewai.project import CrewBase, agent, before_kickoff, crew, task
from crewai.tasks.conditional_task import ConditionalTask
from crewai.tools import BaseTool, tool
from pydantic import BaseModel, Field

CREWS: dict[str, Callable[[], Any]] = {}
FLOWS: dict[str, Callable[[], Any]] = {}
ENGINE = (
    *("one_task", "plain", "listed_contexts", "no_context", "one_agent_twice", "two_alike", "no_inputs"),
    *("parameters_of_models", "crew_base_class", "factory"),
)
"""Those that Omium's engine runs without CrewAI."""

MODEL = {"model": "openai/gpt-tiny-1", "api_key": "sk-none", "base_url": "http://127.0.0.1:9/v1"}


class Report(BaseModel):
    """What the writer gives."""

    title: str
    words: int = Field(ge=0)


class Search(BaseTool):
    """A tool that is a class."""

    name: str = "search"
    description: str = "Finds pages."

    def _run(self, query: str, limit: int = 3) -> str:
        return query * limit


@tool("count words")
def count_words(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


def is_long(output: Any) -> bool:
    """Say whether the next task is worth it."""
    return len(output.raw) > 20


def has_title(output: Any) -> tuple[bool, Any]:
    """Judge a report."""
    return ("#" in output.raw, output.raw)


@cache
def make_llm() -> LLM:
    """One for all: each makes two clients of its own, which takes a while."""
    return LLM(**MODEL)


def make_agent(role: str = "Researcher", **given: Any) -> Agent:
    model = given.pop("llm", None) or make_llm()
    given = {"goal": "Find facts on {topic}", "backstory": "Has read much.", **given}
    return Agent(role=role, llm=model, **given)


def make_task(description: str = "Find facts on {topic}", **given: Any) -> Task:
    return Task(description=description, expected_output=given.pop("expected_output", "bullets"), **given)


def kind_of_crew(make: Callable[[], Any]) -> Callable[[], Any]:
    CREWS[make.__name__] = make
    return make


def kind_of_flow(make: Callable[[], Any]) -> Callable[[], Any]:
    FLOWS[make.__name__] = make
    return make


def pair(
    crew_given: dict[str, Any] | None = None, first: dict[str, Any] | None = None, **second: Any
) -> Crew:
    """A researcher and a writer, the writer's task with what is given."""
    researcher, writer = make_agent(), make_agent("Writer")
    tasks = [
        make_task(agent=researcher, name="research", **(first or {})),
        make_task("Write on {topic}", agent=writer, name="write", **second),
    ]
    return Crew(agents=[researcher, writer], tasks=tasks, **(crew_given or {}))


@kind_of_crew
def one_task() -> Crew:
    researcher = make_agent()
    return Crew(agents=[researcher], tasks=[make_task(agent=researcher)])


@kind_of_crew
def plain() -> Crew:
    researcher, writer, editor = make_agent(), make_agent("Writer"), make_agent("Editor of {topic}")
    tasks = [
        make_task(agent=researcher, name="research"),
        make_task("Write on {topic}", agent=writer, name="write"),
        make_task("Edit", agent=editor, name="edit"),
    ]
    return Crew(name="papers", agents=[researcher, writer, editor], tasks=tasks)


@kind_of_crew
def listed_contexts() -> Crew:
    made = plain()
    made.tasks[2].context = [made.tasks[1]]
    made.tasks[1].context = [made.tasks[0]]
    return made


@kind_of_crew
def no_context() -> Crew:
    made = plain()
    made.tasks[2].context = []
    made.tasks[1].context = None
    return made


@kind_of_crew
def one_agent_twice() -> Crew:
    researcher = make_agent()
    return Crew(agents=[researcher], tasks=[make_task(agent=researcher), make_task("More", agent=researcher)])


@kind_of_crew
def two_alike() -> Crew:
    one, other = make_agent(), make_agent()
    return Crew(agents=[one, other], tasks=[make_task(agent=one), make_task(agent=other)])


@kind_of_crew
def no_inputs() -> Crew:
    writer = make_agent("Writer", goal="Write", backstory="")
    return Crew(agents=[writer], tasks=[make_task('Write {"a": 1} and { b }', agent=writer)])


@kind_of_crew
def function_tool() -> Crew:
    counter = make_agent("Counter", tools=[count_words])
    return Crew(agents=[counter], tasks=[make_task(agent=counter)])


@kind_of_crew
def class_tool_of_a_task() -> Crew:
    return pair(tools=[Search(), count_words])


@kind_of_crew
def same_tool_name_twice() -> Crew:
    other = Search(description="Finds other pages.")
    agents = [make_agent(tools=[Search()]), make_agent("Writer", tools=[other])]
    return Crew(agents=agents, tasks=[make_task(agent=each) for each in agents])


@kind_of_crew
def pydantic_output() -> Crew:
    return pair(output_pydantic=Report)


@kind_of_crew
def json_output() -> Crew:
    return pair(output_json=Report)


@kind_of_crew
def function_guardrail() -> Crew:
    return pair(guardrail=has_title, guardrail_max_retries=1)


@kind_of_crew
def guardrails_in_words() -> Crew:
    return pair(guardrails=["It has a title.", has_title])


@kind_of_crew
def human_input() -> Crew:
    return pair(human_input=True)


@kind_of_crew
def async_tasks() -> Crew:
    agents = [make_agent(role) for role in ("Historian", "Chemist", "Writer")]
    tasks = [make_task(agent=each, async_execution=each.role != "Writer") for each in agents]
    return Crew(agents=agents, tasks=[make_task("Plan", agent=agents[2], name="plan"), *tasks])


@kind_of_crew
def async_at_the_end() -> Crew:
    return pair(async_execution=True)


@kind_of_crew
def conditional() -> Crew:
    agents = [make_agent(role) for role in ("Researcher", "Checker", "Writer")]
    checking = ConditionalTask(
        condition=is_long, description="Check", expected_output="ok", agent=agents[1], name="check"
    )
    tasks = [make_task(agent=agents[0]), checking, make_task("Write", agent=agents[2])]
    return Crew(agents=agents, tasks=tasks)


@kind_of_crew
def conditional_lambda_at_the_end() -> Crew:
    agents = [make_agent(role) for role in ("Researcher", "Checker")]
    checking = ConditionalTask(
        condition=lambda output: bool(output.raw), description="Check", expected_output="ok", agent=agents[1]
    )
    return Crew(agents=agents, tasks=[make_task(agent=agents[0]), checking])


@kind_of_crew
def hierarchical() -> Crew:
    agents = [make_agent(), make_agent("Writer")]
    tasks = [make_task(), make_task("Write", agent=agents[1])]
    return Crew(agents=agents, tasks=tasks, process=Process.hierarchical, manager_llm=make_llm())


@kind_of_crew
def hierarchical_with_an_agent() -> Crew:
    manager = make_agent("Editor in chief", allow_delegation=True)
    agents = [make_agent()]
    return Crew(agents=agents, tasks=[make_task()], process=Process.hierarchical, manager_agent=manager)


@kind_of_crew
def planning() -> Crew:
    return pair({"planning": True, "planning_llm": "gpt-4o-mini"})


@kind_of_crew
def delegation() -> Crew:
    made = pair()
    made.agents[0].allow_delegation = True
    return made


@kind_of_crew
def callbacks() -> Crew:
    return pair({"task_callback": print, "before_kickoff_callbacks": [lambda inputs: inputs]}, callback=print)


@kind_of_crew
def output_file() -> Crew:
    return pair(output_file="out/{topic}.md", markdown=True)


@kind_of_crew
def limits() -> Crew:
    made = pair({"max_rpm": 10})
    made.agents[0].max_execution_time = 30
    return made


class OwnModel(BaseLLM):
    """A model whose class is the user's."""

    def call(self, *_: Any, **__: Any) -> str:
        return "nothing"


@kind_of_crew
def model_of_ones_own() -> Crew:
    own = make_agent(llm=OwnModel(model="own"))
    return Crew(agents=[own], tasks=[make_task(agent=own)])


@kind_of_crew
def memory() -> Crew:
    return pair({"memory": True})


@kind_of_crew
def double_braces() -> Crew:
    return pair(first={"expected_output": "{{topic}} as it is"})


@kind_of_crew
def parameters_of_models() -> Crew:
    made = one_task()
    made.agents[0].llm = LLM(**MODEL, temperature=0.25, max_tokens=64, seed=7, stop=["END"])
    return made


@CrewBase
class Newsroom:
    """A class whose methods are the parts of a crew."""

    agents_config: ClassVar[dict[str, Any]] = {}
    tasks_config: ClassVar[dict[str, Any]] = {}

    @agent
    def reporter(self) -> Agent:
        return make_agent("Reporter")

    @task
    def report(self) -> Task:
        return make_task(agent=self.reporter())

    @task
    def revise(self) -> Task:
        return make_task("Revise", agent=self.reporter())

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)


@CrewBase
class PreparedNewsroom:
    """One that looks at its inputs first."""

    agents_config: ClassVar[dict[str, Any]] = {}
    tasks_config: ClassVar[dict[str, Any]] = {}

    @before_kickoff
    def prepare(self, inputs: Any) -> Any:
        return {"topic": "tea", **(inputs or {})}

    @agent
    def reporter(self) -> Agent:
        return make_agent("Reporter")

    @task
    def report(self) -> Task:
        return make_task(agent=self.reporter())

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)


@kind_of_crew
def crew_base_class() -> Any:
    return Newsroom


@kind_of_crew
def crew_base_object() -> Any:
    return PreparedNewsroom()


@kind_of_crew
def factory() -> Any:
    return plain


class Topic(BaseModel):
    """The state of a flow."""

    topic: str = "tea"
    rounds: int = 0


class Chain(Flow[Topic]):
    """One after another."""

    @start()
    def collect(self) -> str:
        return f"facts on {self.state.topic}"

    @listen(collect)
    def write(self, facts: str) -> str:
        return f"text of {facts}"


class Router(Flow[Topic]):
    """A router whose events nobody wrote down."""

    @start()
    def judge(self) -> int:
        return self.state.rounds

    @router(judge)
    def decide(self) -> str:
        return "many" if self.state.rounds > 2 else "few"

    @listen("many")
    def shorten(self) -> str:
        return "shortened"

    @listen("few")
    def lengthen(self) -> str:
        return "lengthened"

    @listen(or_(shorten, lengthen))
    def publish(self, text: str) -> str:
        return f"published {text}"


class Joins(Flow[dict[str, Any]]):
    """and_ and or_, inside of each other."""

    @start()
    def left(self) -> str:
        return "left"

    @start()
    def right(self) -> str:
        return "right"

    @listen(and_(left, right))
    def both(self) -> str:
        return "both"

    @listen(or_(and_(left, right), both))
    def any_of_them(self) -> str:
        return "any"


class Loop(Flow[Topic]):
    """A router that leads back."""

    @start("again")
    def draft(self) -> int:
        self.state.rounds += 1
        return self.state.rounds

    @router(draft)
    def enough(self) -> str:
        return "done" if self.state.rounds >= 3 else "again"

    @listen("done")
    def publish(self) -> int:
        return self.state.rounds


class Asking(Flow):
    """A person decides."""

    @start()
    @human_feedback(message="Is it good?", emit=["yes", "no"], llm="gpt-4o-mini", default_outcome="no")
    def write(self) -> str:
        return "text"

    @listen("yes")
    def publish(self) -> str:
        return "published"


class Remembering(Flow[Topic]):
    """A flow whose state is kept."""

    initial_state: ClassVar[dict[str, Any]] = {"topic": "tea", "token": "tok-5f2b81c09d7e4a36"}

    @persist()
    @start()
    def begin(self) -> str:
        return "begun"


for _flow in (Chain, Router, Joins, Loop, Asking, Remembering):
    FLOWS[_flow.__name__] = lambda flow=_flow: flow


@kind_of_flow
def flow_object() -> Any:
    return Chain()


@kind_of_flow
def declared_flow() -> Any:
    methods = {
        "add": {"start": True, "do": {"call": "expression", "expr": "1 + 1"}},
        "show": {"listen": "add", "do": {"call": "expression", "expr": "outputs.add"}},
    }
    return Flow.from_declaration(contents={"schema": "crewai.flow/v1", "name": "sums", "methods": methods})


@kind_of_flow
def flow_factory() -> Any:
    return Router
