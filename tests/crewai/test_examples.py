"""The examples with CrewAI run as their first lines say; a scripted model stands in for the real one."""

from pathlib import Path

import pytest

import omium

EXAMPLES = Path(omium.__file__).parents[1] / "examples" / "crewai"
pytestmark = pytest.mark.timeout(600)  # each starts CrewAI, on a machine that may be busy


def test_the_report(server, model):
    model.tools["Look up otters"] = ("look_up", '{"subject": "otters"}')
    model.answers["expected criteria for your final answer: One fact"] = "Otters play with pebbles."
    model.answers["friendly sentence"] = "Otters are lovely."

    code, out, err = server.run(EXAMPLES / "report.py", "otters")

    assert code == 0, out + err
    assert out.rstrip().splitlines()[-1] == "Otters are lovely."  # CrewAI 1.15.0 ends with an empty line
    detail = server.newest()
    assert {"research/look_up", "research/model#2", "write/model"} <= {
        step["key"] for step in detail["steps"]
    }
    used = detail["usage"]
    assert (used["input_tokens"], used["output_tokens"]) == (model.input_tokens, model.output_tokens)


def test_the_review(server, model):
    model.answers["Write try 1"] = "Otters are animals that play in rivers all day long."
    model.answers["Write try 2"] = "Otters play."

    code, out, err = server.run(EXAMPLES / "review.py", "otters")

    assert code == 0, out + err
    assert out.splitlines()[-1] == "After 2 tries: Otters play."
    keys = {step["key"] for step in server.newest()["steps"]}
    assert {"greet", "write", "write#2", "judge", "judge#2", "publish"} <= keys
