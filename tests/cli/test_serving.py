"""What is said of executions that no worker serves, and to a worker that will be given none."""

from types import SimpleNamespace

import pytest

from omium.cli.output import Output
from omium.cli.serving import warn_of_engine_mode
from omium.cli.status import NAMED_MAX, _find_serving
from omium.errors import ConnectionLost, NotFound, ScopeMissing


class Server:
    """Answers as a server that has one queued execution of each workflow; counts what it is asked."""

    def __init__(self, commands):
        self.commands, self.asked = commands, []

    def list_executions(self, *, workflow, status, limit):
        self.asked.append(workflow)
        return SimpleNamespace(items=[SimpleNamespace(id=workflow)] if workflow in self.commands else [])

    def get_execution(self, execution_id):
        command = self.commands[execution_id]
        if command is None:
            raise NotFound("It was deleted.")
        return SimpleNamespace(runner=SimpleNamespace(command=command))


def test_the_worker_is_named_where_the_document_names_its_code():
    server = Server(
        {"crew": ["omium", "worker", "my crew.py:crew"], "script": ["python", "shop.py"], "gone": None}
    )
    assert _find_serving(server, ["crew", "script", "gone"]) == {"crew": "omium worker 'my crew.py:crew'"}
    assert _find_serving(server, ["nothing queued any more"]) == {}


def test_of_many_workflows_only_the_first_are_asked_about():
    server = Server({})
    _find_serving(server, [f"flow-{number}" for number in range(50)])
    assert len(server.asked) == NAMED_MAX


class Stored:
    """Answers with the mode of stored workflows; an error is raised."""

    def __init__(self, modes):
        self.modes = modes

    def get_workflow(self, name):
        mode = self.modes.get(name, NotFound("There is none."))
        if isinstance(mode, Exception):
            raise mode
        return SimpleNamespace(mode=mode, archived=name == "archived")


def served(*names, entrypoints=frozenset({"crew.py:crew", "/home/me/crew.py:crew"})):
    versions = SimpleNamespace(entrypoints=entrypoints) if entrypoints else None
    return {name: SimpleNamespace(versions=versions) for name in names}


def test_a_worker_is_told_which_of_its_workflows_the_server_runs_itself(capsys):
    modes = {"papers": "engine", "archived": "engine", "letters": "native", "code": None}

    warn_of_engine_mode(Output(), Stored(modes), served(*modes, "unknown"))

    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith(
        "papers is stored in engine mode: the server runs it, and this worker is never given"
    )
    assert "omium export crew.py:crew --mode native --import" in told
    warn_of_engine_mode(Output(), Stored(modes), served("papers", entrypoints=None))
    assert "@omium.workflow(name=...)" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ScopeMissing("Not with this key."), ConnectionLost("It is away.")])
def test_a_worker_that_may_not_look_or_has_no_server_yet_is_told_nothing(capsys, error):
    warn_of_engine_mode(Output(), Stored({"papers": error, "tea": "engine"}), served("papers", "tea"))

    assert capsys.readouterr() == ("", "")
