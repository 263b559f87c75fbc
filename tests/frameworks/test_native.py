"""What `omium export --import` stored is run by a worker of the same file, with the framework itself."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from tests.frameworks.scripted import ask, say

HERE = Path(__file__).parent
AGENTS = [say("Done.")]
STUDIED = {"counted": 3, "polished": 2}
SHIPPED = {
    "Pack": {"tries": 2, "parts": ["otters for 700", "box for 700", "tape for 700"]},
    "Thank": {"told": ["thanks: Error occurred while invoking function: 'Send-send'"]},
    "deliver.by_hand": {"told": ["Error occurred while invoking function: 'Send-send'"]},
}
PIPELINE = [say("Otters play."), ask(("c1", "publish", {"title": "Otters"})), say("It is out.")]


@pytest.mark.parametrize(
    ("module", "folder", "file", "script", "inputs", "output"),
    [
        ("agents", "openai_agents", "support.py:expert", AGENTS, {"input": "Order 7?"}, "Done."),
        ("semantic_kernel", "semantic_kernel", "clerk.py:clerk", AGENTS, {"input": "Order 7?"}, "Done."),
        (
            "semantic_kernel",
            "semantic_kernel",
            "shipping.py:shipping",
            [],
            {"event": "Begin", "data": "otters"},
            {"states": SHIPPED},
        ),
        (
            "haystack",
            "haystack",
            "report.py:make_pipeline",
            PIPELINE,
            {"draft": {"topic": "otters"}},
            {"say": {"text": "It is out."}},
        ),
        ("workflows", "llama_index", "study.py:study", [], {"topic": "otters"}, STUDIED),
    ],
    ids=["openai_agents", "semantic_kernel", "process", "haystack", "llama_index"],
)
def test_a_worker_runs_what_was_exported(server, model, module, folder, file, script, inputs, output):
    if importlib.util.find_spec(module) is None:
        pytest.skip("the framework is not installed here")
    shutil.copy(HERE / folder / file.partition(":")[0], server.folder)
    model.script = list(script)

    def run(*arguments):
        return server.omium(*arguments).stdout

    saved = json.loads(run("export", file, "--import", "--json"))
    given = [f"--input={name}={json.dumps(value)}" for name, value in inputs.items()]
    execution = json.loads(run("run", saved["name"], *given, "--no-wait", "--json"))
    run("worker", file, "--once")

    detail = server.detail(execution["id"])
    assert detail["status"] == "completed", detail
    told = detail["output"]
    assert output == (told if isinstance(output, str) else {name: told[name] for name in output})
    assert model.script == []
