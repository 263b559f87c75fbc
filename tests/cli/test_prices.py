"""`omium prices` and `omium credits estimate` as a person and a script use them."""

from tests.cli.terminal import Terminal

USES_A_MODEL = """
import omium

@omium.step
def ask():
    omium.record_usage(provider="openai", model="gpt-4o-mini", input_tokens=2000, output_tokens=1000)
    return "answer"

@omium.workflow
def costly():
    return ask()

costly()
"""


def editor(cli, name, python):
    """Return a command that changes the file which it is given."""
    script = cli.folder / name
    script.write_text(
        f"import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n{python}\n"
    )
    return f"{cli.command()[0]} {script}"


def test_the_book_is_edited_compared_and_restored(cli):
    dearer = editor(cli, "dearer.py", "file.write_text(text.replace('step = 0.01 ', 'step = 0.5 '))")
    done = cli("prices", "edit", "--note", "dearer", "--yes", EDITOR=dearer, VISUAL="")
    assert done.code == 0, done.err
    assert "work.step  0.01    0.5" in done.out
    assert "Version 2 is in force. Take it back: omium prices restore 1" in done.err

    assert [each["note"] for each in cli("prices", "list", "--json").json] == ["dearer", ""]
    assert cli("prices", "diff", "--json").json["changes"] == [
        {"place": "work.step", "before": "0.01", "after": "0.5"}
    ]
    assert "step = 0.5 " in cli("prices", "show").out

    cli("prices", "restore", "1", "--yes")
    assert "step = 0.01 " in cli("prices", "show").out
    same = cli("prices", "restore", "1", "--yes")
    assert "Version 3 is in force; it is the same book." in same.err


def test_what_somebody_else_saves_meanwhile_is_not_overwritten(cli):
    book = cli("prices", "show", "--quiet").out
    for name, price in (("mine.toml", "0.5"), ("theirs.toml", "0.7")):
        (cli.folder / name).write_text(book.replace("step = 0.01 ", f"step = {price} "))
    terminal = Terminal(cli, "prices", "set", "mine.toml")
    terminal.expect("Put this book into force?")
    assert cli("prices", "set", "theirs.toml", "--yes").code == 0
    terminal.type("y\n")
    assert terminal.end() == 1
    assert "omium prices diff" in terminal.shown
    assert "step = 0.7 " in cli("prices", "show").out


def test_a_book_with_mistakes_is_never_saved_and_an_editor_that_fails_changes_nothing(cli):
    wrong = editor(cli, "wrong.py", "file.write_text(text + '[work2]')")
    done = cli("prices", "edit", "--yes", EDITOR=wrong, VISUAL="")
    assert done.code == 2
    assert "work2: this key means nothing here" in done.err
    for broken in (editor(cli, "broken.py", "raise SystemExit(3)"), "no-such-editor"):
        done = cli("prices", "edit", "--yes", EDITOR=broken, VISUAL="")
        assert (done.code, done.out) == (1, "")
    untouched = cli("prices", "edit", EDITOR=editor(cli, "nothing.py", ""), VISUAL="")
    assert "Nothing was changed." in untouched.err
    (cli.folder / "wrong.toml").write_text("[work]\nstep = -1")
    assert cli("prices", "set", "wrong.toml", "--yes").code == 1
    assert cli("prices", "validate", "wrong.toml", "--json").json["errors"][0]["line"] == 2
    assert cli("prices", "diff", "1", "x").code == 2
    assert [each["version"] for each in cli("prices", "list", "--json").json] == [1]


def test_what_a_model_costs_and_what_a_workflow_costs(cli):
    found = cli("prices", "lookup", "openai/gpt-4o-mini", "--input-tokens", "1000000", "--json").json
    assert (found["source"], found["cost_usd"]) == ("bundled", 0.15)
    assert "[default_model] of the book" in cli("prices", "lookup", "my-own-model").out

    nothing = cli("credits", "estimate", "costly")
    assert "is 0.11 credits." in nothing.err
    assert cli.python(USES_A_MODEL).code == 0
    found = cli("credits", "estimate", "costly", "--json").json
    assert (found["executions"], found["basis"]) == (1, "history")
    assert found["p50_microcredits"] == 900_000 + 110_000
    assert [(step["name"], step["p50_microcredits"]) for step in found["steps"]] == [("ask", 900_000)]
    shown = cli("credits", "estimate", "costly").out
    assert "half cost at most  1.01 credits ($0.00101)" in shown
