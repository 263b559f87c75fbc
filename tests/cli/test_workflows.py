"""`omium workflows` as a person and a script use them."""

import copy
import json

from tests.cli.terminal import Terminal

DOCUMENT = {
    "omium": "0",
    "name": "research",
    "description": "Find facts and write them up",
    "nodes": [
        {"id": "write", "type": "function", "parameters": {"handler": "write"}},
        {"id": "find", "type": "function", "parameters": {"handler": "find"}},
    ],
    "edges": [{"from": "find", "to": "write"}],
}


def put(cli, name="research.json", **fields):
    (cli.folder / name).write_text(json.dumps(copy.deepcopy(DOCUMENT) | fields))
    return name


def editor(cli, name, python):
    """Return a command that changes the file which it is given."""
    script = cli.folder / name
    script.write_text(
        f"import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n{python}\n"
    )
    return {"EDITOR": f"{cli.command()[0]} {script}", "VISUAL": ""}


def test_a_document_is_imported_shown_and_exported_as_it_was(cli):
    done = cli("workflows", "import", put(cli), "--note", "first", "--json")
    assert done.code == 0, done.err
    assert (done.json["name"], done.json["version"], done.json["warnings"]) == ("research", 1, [])
    assert done.json["id"].startswith("wf_")

    again = cli("workflows", "import", "research.json")
    assert "it is the same workflow, nothing was saved" in again.err
    shown = cli("workflows", "show", "research")
    assert "Find facts and write them up" in shown.out
    assert "never" in shown.out

    cli("workflows", "export", "research", "--output", "out.json")
    text = (cli.folder / "out.json").read_text()
    exported = json.loads(text)
    assert list(exported)[:3] == ["omium", "name", "description"]
    assert [node["id"] for node in exported["nodes"]] == ["find", "write"]  # as they run
    assert cli("workflows", "export", "research").out == text
    assert not cli("workflows", "import", "out.json", "--json").json["saved"]


def test_an_invalid_document_ends_with_every_problem_for_people_and_for_scripts(cli):
    put(cli, "bad.json", nonsense=1, edges=[])
    done = cli("workflows", "import", "bad.json", "--json")
    assert done.code == 1
    assert [each["pointer"] for each in done.json["errors"]] == ["/nonsense"]
    assert all(each["detail"] for each in done.json["errors"])

    told = cli("workflows", "import", "bad.json")
    assert (told.code, told.out) == (1, "")
    assert "/nonsense: " in told.err
    assert "1 problem; nothing was saved." in told.err
    here = cli("workflows", "validate", "bad.json", "--json")
    assert (here.code, [each["pointer"] for each in here.json["errors"]]) == (1, ["/nonsense"])


def test_stdin_is_read_and_what_is_no_json_is_refused_alike(cli):
    good = cli("workflows", "import", "-", "--json", stdin=json.dumps(DOCUMENT))
    assert good.json["version"] == 1
    bad = cli("workflows", "import", "-", "--json", stdin='{"omium": ')
    assert (bad.code, len(bad.json["errors"])) == (1, 1)
    assert cli("workflows", "validate", "-", stdin=json.dumps(DOCUMENT)).code == 0
    assert cli("workflows", "import", "no such file").code == 2


def test_versions_are_listed_compared_tagged_and_restored(cli):
    cli("workflows", "import", put(cli))
    cli("workflows", "import", put(cli, description="Shorter"), "--note", "shorter")

    diff = cli("workflows", "diff", "research")
    assert "/description" in diff.out
    assert "Shorter" in diff.out
    assert cli("workflows", "diff", "research", "1", "2", "--json").json["changes"]
    cli("workflows", "tag", "research@1", "prod")
    assert cli("workflows", "show", "research", "--json").json["tags"][0]["version"] == 1
    found = json.loads(cli("workflows", "export", "research@prod").out)
    assert found["description"] == DOCUMENT["description"]

    back = cli("workflows", "restore", "research", "1", "--yes", "--json")
    assert back.json["version"] == 3
    listed = cli("workflows", "versions", "research", "--json").json
    assert [(each["version"], each["restored_from"]) for each in listed] == [(3, 1), (2, None), (1, None)]
    assert "version 1 again" in cli("workflows", "versions", "research").out
    assert cli("workflows", "tag", "research", "prod", "--delete").code == 0


def test_an_archived_workflow_says_how_to_get_it_back(cli):
    cli("workflows", "import", put(cli))
    assert cli("workflows", "archive", "research", "--yes").code == 0
    refused = cli("workflows", "import", put(cli, description="other"))
    assert refused.code == 1
    assert "omium workflows unarchive research" in refused.err
    assert cli("workflows", "list", "--json").json == []
    assert cli("workflows", "unarchive", "research").code == 0


def test_the_list_has_what_ran_as_code_and_executions_are_found_by_tag_and_key(cli):
    cli("workflows", "import", put(cli))
    ran = cli("run", "my_agents.py:report", "--input", "topic=x", "--tag", "nightly", "--key", "order-7")
    assert ran.code == 0, ran.err
    cli("run", "my_agents.py:report", "--input", "topic=bad")

    rows = cli("workflows", "list", "--json").json
    assert [(each["name"], each["kind"], each["open_failures"]) for each in rows] == [
        ("report", "code", 1),
        ("research", "spec", 0),
    ]
    assert "failed" in cli("workflows", "list").out
    assert "its definition is code" in cli("workflows", "show", "report").out
    for flags in (["--tag", "nightly"], ["--key", "order-7"]):
        found = cli("executions", "list", *flags, "--json").json
        assert [(each["tags"], each["business_key"]) for each in found] == [(["nightly"], "order-7")]
    assert "order-7" in cli("executions", "show", found[0]["id"]).out
    assert cli("executions", "list", "--tag", "none", "--json").json == []


def test_an_edit_shows_the_difference_and_is_saved(cli):
    cli("workflows", "import", put(cli))
    change = editor(cli, "change.py", "file.write_text(text.replace('Find facts', 'Find sources'))")
    done = cli("workflows", "edit", "research", "--yes", "--note", "sources", **change)
    assert done.code == 0, done.err
    assert "/description" in done.out
    assert "research is version 2" in done.err
    nothing = cli("workflows", "edit", "research", "--yes", **editor(cli, "nothing.py", ""))
    assert "Nothing was changed." in nothing.err
    assert list((cli.folder / "config" / "drafts").glob("*")) == []


def test_an_invalid_edit_is_kept_and_gone_on_with(cli):
    cli("workflows", "import", put(cli))
    broken = editor(cli, "broken.py", "file.write_text(text.replace('\"edges\"', '\"egdes\"'))")
    stopped = cli("workflows", "edit", "research", "--yes", **broken)
    assert stopped.code == 1
    assert "/egdes: " in stopped.err
    assert "What you typed is kept in" in stopped.err
    mended = editor(
        cli, "mended.py", "file.write_text(text.replace('egdes', 'edges').replace('facts', 'sources'))"
    )
    done = cli("workflows", "edit", "research", "--yes", **mended)
    assert done.code == 0, done.err
    assert "Going on with the draft" in done.err
    exported = json.loads(cli("workflows", "export", "research").out)
    assert exported["description"] == "Find sources and write them up"
    assert exported["edges"] == DOCUMENT["edges"]


def test_a_person_is_asked_whether_to_go_on_editing(cli):
    cli("workflows", "import", put(cli))
    twice = editor(
        cli,
        "twice.py",
        "pair = ('wrong', 'description') if 'wrong' in text else ('description', 'wrong')\n"
        "file.write_text(text.replace(*pair))",
    )
    cli.environment.update(twice)
    terminal = Terminal(cli, "workflows", "edit", "research")
    terminal.expect("Go on editing?")
    terminal.type("y\n")
    terminal.expect("Nothing was changed.")
    assert terminal.end() == 0


def test_what_somebody_else_saves_meanwhile_is_not_overwritten_and_nothing_typed_is_lost(cli):
    cli("workflows", "import", put(cli))
    change = editor(cli, "change.py", "file.write_text(text.replace('Find facts', 'Mine'))")
    cli.environment.update(change)
    terminal = Terminal(cli, "workflows", "edit", "research")
    terminal.expect("Save it as version 2?")
    assert cli("workflows", "import", put(cli, description="Theirs")).code == 0
    terminal.type("y\n")
    assert terminal.end() == 1
    assert "omium workflows diff research 1 2" in terminal.shown.replace("\r\n", " ")
    (draft,) = (cli.folder / "config" / "drafts").glob("*.json")
    assert "Mine" in draft.read_text()
    again = cli("workflows", "edit", "research", "--yes")
    assert (again.code, draft.exists()) == (1, True)  # it still changes version 1


def test_a_new_workflow_begins_with_a_document_that_is_valid(cli):
    change = editor(cli, "new.py", "file.write_text(text.replace('first', 'hello'))")
    done = cli("workflows", "edit", "greeting", "--new", "--yes", "--json", **change)
    assert done.code == 0, done.err
    assert (done.json["name"], done.json["version"]) == ("greeting", 1)
