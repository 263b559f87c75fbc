"""A crew and a flow that ask people, on a worker: they wait without a process, and an answer is used once."""

import json

import pytest

CREW = """
from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import human_feedback

llm = LLM(model="openai/gpt-4o-mini")
writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
write = Task(
    name="write", description="Write. [[say: A long text.]]", expected_output="b", agent=writer,
    human_input=True,
)
close = Task(name="close", description="Close. [[say: Bye.]]", expected_output="c", agent=writer)
crew = Crew(name="papers", agents=[writer], tasks=[write, close])


class Asking(Flow):
    @start()
    def baptise(self):
        return self.ask("What is it called?")

    @listen(baptise)
    @human_feedback(message="Is it good?")
    def judge(self, name):
        return f"the {name}"

    @listen(judge)
    def tell(self, result):
        return f"{result.output}: {result.feedback}"
"""


class Folder:
    """Somebody's crew.py, with a worker that does what there is and ends."""

    def __init__(self, server):
        self.server, self.omium = server, server.omium
        server.write("crew.py", CREW)

    def start(self, name):
        return json.loads(self.omium("run", name, "--inputs", "{}", "--no-wait", "--json").stdout)["id"]

    def work(self, target, execution):
        self.omium("worker", target, "--once", codes=(0, 1))
        return self.server.detail(execution)

    def answer(self, execution, name, text):
        self.omium("signal", execution, name, "--data", json.dumps(text))


@pytest.fixture
def folder(server, model):
    return Folder(server)


def test_a_task_with_human_input_waits_for_the_signal_of_its_name(folder, model):
    execution = folder.start("papers")
    waiting = folder.work("crew.py:crew", execution)
    assert (waiting["status"], waiting["reason"]) == ("waiting", "signal")
    (asked,) = waiting["awaited_signals"]
    assert asked["name"] == "write"
    assert asked["question"]["answer"] == "A long text."

    folder.answer(execution, "write", "Shorter. [[say: A text.]]")
    again = folder.work("crew.py:crew", execution)
    assert again["awaited_signals"][0]["name"] == "write"
    folder.answer(execution, "write", "")
    done = folder.work("crew.py:crew", execution)

    assert done["status"] == "completed", done["error"]
    assert [text in json.dumps(done["output"]) for text in ("A text.", "Bye.")] == [True, True]
    assert model.asked == ["A long text.", "A text.", "Bye."]


def test_a_flow_that_asks_waits_for_the_signal_of_its_method(folder, model):
    execution = folder.start("Asking")
    waiting = folder.work("crew.py:Asking", execution)
    assert waiting["awaited_signals"] == [{"name": "baptise", "question": "What is it called?"}]
    folder.answer(execution, "baptise", "tea")
    judging = folder.work("crew.py:Asking", execution)
    assert judging["awaited_signals"] == [
        {"name": "judge", "question": {"message": "Is it good?", "output": "the tea"}}
    ]
    folder.answer(execution, "judge", "very")
    done = folder.work("crew.py:Asking", execution)

    assert (done["status"], done["output"]) == ("completed", "the tea: very")
