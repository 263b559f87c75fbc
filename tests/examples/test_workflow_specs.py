"""examples/workflows: each is valid, can be drawn, and runs on a server with a scripted model on loopback."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import omium
from omium.spec.check import check_spec
from omium.spec.drawing.mermaid import draw_mermaid
from omium.spec.drawing.terminal import draw_terminal
from tests.sdk.served import wait_until

FOLDER = Path(omium.__file__).parents[1] / "examples" / "workflows"
FILES = sorted(FOLDER.glob("*.json"))


class Model:
    """A provider that answers each prompt with what `answer` makes of it."""

    def __init__(self):
        self.prompts = []
        self.asked_models = []
        self.answer = lambda prompt, model: f"answer to: {prompt}"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                prompt = body["messages"][-1]["content"]
                outer.prompts.append(prompt)
                outer.asked_models.append(body.get("model"))
                said = outer.answer(prompt, body.get("model"))
                status, reply = (
                    (said, {"error": {"message": "busy"}}) if isinstance(said, int) else (200, None)
                )
                choice = {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": said},
                }
                usage = {"prompt_tokens": 10, "completion_tokens": 5}
                data = json.dumps(reply or {"model": "tiny", "choices": [choice], "usage": usage}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def model():
    made = Model()
    yield made
    made.close()


class Automation:
    """A server that has every example, and the model that it asks."""

    def __init__(self, server, model):
        self.server, self.model = server, model
        port = model.server.server_address[1]
        text = f'[local]\nbase_url = "http://127.0.0.1:{port}/v1"\nmodels = ["tiny", "large", "small"]\n'
        (server.running.data / "providers.toml").write_text(text)
        for file in FILES:
            saved = server.post("/v1/workflows", {"document": json.loads(file.read_text())})
            assert saved["version"] == 1

    def start(self, workflow, **inputs):
        body = {"workflow": workflow, "driver": "worker", "input": inputs, "input_digest": "0" * 64}
        return self.server.post("/v1/executions", body)["id"]

    def end(self, execution_id):
        """Wait for the end, and return the execution."""

        def look():
            detail = self.server.detail(execution_id)
            return detail if detail["status"] in ("completed", "failed", "paused") else None

        return wait_until(look)

    def run(self, workflow, **inputs):
        detail = self.end(self.start(workflow, **inputs))
        assert detail["status"] == "completed", detail["error"]
        return detail["output"]

    def wait_for(self, execution_id, status):
        return wait_until(lambda: self.server.detail(execution_id)["status"] == status)


@pytest.fixture
def automation(server, model):
    return Automation(server, model)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_valid_without_a_warning_and_can_be_drawn(file):
    document = json.loads(file.read_text())
    checked = check_spec(document)
    assert checked.problems == ()
    assert checked.warnings == ()
    assert document["name"] == file.stem
    drawn = draw_terminal(checked.spec, 100)
    assert all(node.id in drawn for node in checked.spec.nodes)
    assert draw_mermaid(checked.spec).startswith("flowchart TD\n")


def test_three_agents_hand_on_what_they_found(automation, model):
    done = automation.run("research_crew", topic="otters")

    assert [prompt.split("\n")[0] for prompt in model.prompts] == [
        "Find facts about otters.",
        "Write a report of about 300 words from these facts:",
        "Edit this report. Answer with nothing but the report:",
    ]
    assert done["facts"].startswith("answer to: Find facts")
    assert "Write a report" in done["report"]


def test_a_loop_ends_when_the_critic_is_content(automation, model):
    critics = iter(["too long", "too dry", "GOOD"])
    model.answer = lambda prompt, _: next(critics) if prompt.startswith("Criticise") else f"<{prompt[:40]}>"
    done = automation.run("draft_and_critique", topic="otters")

    assert sum(prompt.startswith("Write two") for prompt in model.prompts) == 3
    assert "Mend what the critic said: too dry" in [p for p in model.prompts if p.startswith("Write two")][2]
    assert done["title"].startswith("<Find a title")


def test_a_small_model_answers_where_the_large_one_does_not(automation, model):
    model.answer = lambda prompt, name: 503 if name == "large" else "42"
    done = automation.run("answer_with_fallback", question="What is six times seven?")

    assert done == {"answer": None, "fallback_answer": "42"}
    assert model.asked_models == ["large", "large", "large", "small"]


def test_each_item_is_summarised_also_where_another_workflow_asks_for_it(automation, model):
    done = automation.run("weekly_digest", documents=["one", "two", "three", "four"])

    summaries = [prompt for prompt in model.prompts if prompt.startswith("Summarise")]
    assert sorted(summaries) == sorted(
        f"Summarise in one sentence: {n}" for n in ("one", "two", "three", "four")
    )
    assert done["introduction"].startswith("answer to: Write an introduction")
    assert automation.run("summarise_each", documents=[])["summaries"] == []


def test_a_person_approves_or_rejects(automation, model):
    for decision, follower in (
        ("approved", "Correct the spelling"),
        ("rejected", "The announcement was rejected"),
    ):
        made = automation.start("approved_announcement", news="We have otters")
        automation.wait_for(made, "waiting")
        automation.server.post(
            f"/v1/executions/{made}/approvals", {"path": "review", "decision": decision, "comment": "why not"}
        )
        detail = automation.end(made)
        assert detail["output"]["decision"] == decision, detail["error"]
        assert model.prompts[-1].startswith(follower)


def test_a_signal_that_comes_is_thanked_for(automation):
    made = automation.start("wait_for_payment", customer="Ada")
    automation.wait_for(made, "waiting")
    automation.server.post(
        f"/v1/executions/{made}/signals",
        {"name": "paid", "payload": {"usd": 5}, "signal_id": uuid.uuid4().hex},
    )
    done = automation.end(made)["output"]

    assert done["letter"].startswith("answer to: Thank Ada for the payment: ")
    assert done["reminder"] is None
