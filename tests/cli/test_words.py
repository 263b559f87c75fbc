"""What is said on the way: to a mistyped name, to wrong arguments, on a terminal that can show little."""

import pytest

from tests.cli.terminal import Terminal


def test_a_mistyped_workflow_is_told_which_name_is_meant_and_how_to_end_it(cli):
    cli.python("import my_agents; my_agents.report('x')")
    terminal = Terminal(cli, "run", "reprot", "-i", "topic=x", columns=200)
    terminal.expect("No worker serves reprot. Did you mean report? Then end this one: omium cancel ex_")
    terminal.type("\x03")
    assert terminal.end() == 130


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["my_agents.py:report", "-i", "nope=1"], "missing a required argument: 'topic'"),
        (
            ["my_agents.py:report", "-i", "topic=1", "-i", "nope=1"],
            "got an unexpected keyword argument 'nope'",
        ),
        (["my_agents.py:report"], "It takes (topic: str) -> str; give each as --input KEY=VALUE."),
        (["report", "-i", "topic"], "write --input KEY=VALUE"),
        (["report", "--inputs", "[1]"], "--inputs is a JSON object"),
        (["report", "--inputs", "@nothing.json"], "Cannot read nothing.json"),
    ],
)
def test_wrong_arguments_are_wrong_use_and_start_nothing(cli, typed, said):
    refused = cli("run", *typed)

    assert refused.code == 2
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert cli("executions", "list", "--json").json == []


def test_a_terminal_without_our_signs_gets_others_that_differ(cli):
    cli.python("import my_agents; my_agents.report('good')")
    cli.python("import my_agents; my_agents.report('bad')")

    shown = cli("executions", "list", PYTHONIOENCODING="ascii").out

    assert "+ completed" in shown
    assert "x failed" in shown
    assert "?" not in shown


def test_a_terminal_with_little_room_shows_what_happened_and_when(cli):
    cli.python("import my_agents; my_agents.report('x')")

    lines = cli("executions", "events", "last", COLUMNS="40").out.splitlines()

    assert "execution.started" in lines[0]
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["keys", "create", "--name", ""], "omium: name: String should have at least 1 character."),
        (["keys", "create", "--name", "x" * 10_000], "omium: name: String should have at most"),
    ],
)
def test_what_a_model_refuses_is_a_sentence(cli, typed, said):
    refused = cli(*typed)

    assert (refused.code, refused.err.startswith(said)) == (2, True), refused.err
    assert len(refused.err.splitlines()) == 1


def test_what_the_users_own_models_refuse_keeps_its_frames(cli, tmp_path):
    (tmp_path / "broken.py").write_text("import pydantic\npydantic.TypeAdapter(int).validate_python('x')\n")

    assert 'broken.py", line 2' in cli("run", "broken.py:report").err
