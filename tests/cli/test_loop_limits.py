"""`omium resume --loop-limit` at the command line."""

import json

SPEC = {
    "omium": "0",
    "name": "rounds",
    "nodes": [{"id": "draft", "type": "wait", "parameters": {"seconds": 0.1}, "start": True}],
    "edges": [{"from": "draft", "to": "draft", "when": {"expr": "true"}}],
    "loops": {"draft": {"max_iterations": 1}},
}


def test_a_loop_that_stands_at_its_limit_is_given_more_rounds(cli, running_server, tmp_path):
    file = tmp_path / "rounds.json"
    file.write_text(json.dumps(SPEC))
    assert cli("workflows", "import", str(file)).code == 0
    failed = cli("run", "rounds")
    assert (failed.code, "loop_limits" in failed.err) == (1, True)

    for pair in ("draft", "draft=", "=3", "draft=0", "draft=-1", "draft=1.5", "draft=100001"):
        refused = cli("resume", "last", "--loop-limit", pair)
        assert (refused.code, "--loop-limit LOOP=TIMES" in refused.err) == (2, True)
    assert "no loop" in cli("resume", "last", "--loop-limit", "other=3").err
    again = cli("resume", "last", "--loop-limit", "draft=2", "--wait", "--json")
    assert again.code == 1
    assert sorted(each["key"] for each in again.json["steps"]) == ["draft", "draft#2"]
