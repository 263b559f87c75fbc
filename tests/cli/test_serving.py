"""What `omium status` says of executions that no worker serves: the command that would, where it is known."""

from types import SimpleNamespace

from omium.cli.status import NAMED_MAX, _find_serving
from omium.errors import NotFound


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
