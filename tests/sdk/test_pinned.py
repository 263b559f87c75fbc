"""Which of the objects that a process serves runs an execution, and as which version of its spec."""

import json

import pytest

from omium.errors import ConfigError, ConnectionLost
from omium.sdk.flows import HttpAnswer, drive_sync
from omium.sdk.options import WorkflowOptions
from omium.sdk.pinned import as_pinned, find_served
from omium.sdk.registry import Workflow
from omium.sdk.starting import Granted


class Versions:
    """Objects as an adapter has them: what was made, and of what."""

    def __init__(self, *entrypoints):
        self.entrypoints = frozenset(entrypoints)
        self.made = {}
        self.asked = []

    def find(self, digest):
        return self.made.get(digest)

    def make(self, version):
        self.asked.append(version)
        self.made[version.digest] = workflow(f"{version.workflow}@{version.number}")
        return self.made[version.digest]


class Ports:
    """A server that answers with `status`; what it was asked is noted."""

    def __init__(self, status=200):
        self.status = status
        self.paths = []

    def http(self, request):
        self.paths.append(request.path)
        problem = {"type": "urn:omium:error:storage-busy", "code": "storage-busy", "status": self.status}
        body = (
            {"document": {"name": "tea"}} if self.status == 200 else problem | {"title": "no", "detail": "no"}
        )
        return HttpAnswer(self.status, {}, json.dumps(body).encode(), 0)

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


def workflow(name, versions=None):
    return Workflow(WorkflowOptions(name), print, print, versions)


def granted(name="tea", pinned=None):
    return Granted({"id": "ex_1", "workflow": name}, {"pinned": pinned}, 0)


def pin(digest="d1", entrypoint="tea.py:graph"):
    return {"workflow_id": "wf_1", "version": 2, "digest": digest, "entrypoint": entrypoint}


def test_a_name_comes_before_an_entrypoint_and_code_alone_is_found_by_its_name_only():
    served = {"tea": workflow("tea"), "chai": workflow("chai", Versions("tea.py:graph"))}

    assert find_served(served, granted("tea", pin())) is served["tea"]
    assert find_served(served, granted("mate", pin())) is served["chai"]
    with pytest.raises(ConfigError, match="mate is not served here; there is chai, tea"):
        find_served(served, granted("mate"))


def test_of_several_objects_the_one_of_the_entrypoint_is_meant():
    served = {each: workflow(each, Versions(f"{each}.py:graph")) for each in ("tea", "chai")}

    assert find_served(served, granted("mate", pin(entrypoint="chai.py:graph"))) is served["chai"]
    with pytest.raises(ConfigError, match="mate is not served here"):
        find_served(served, granted("mate", pin(entrypoint="other.py:graph")))


def test_a_document_is_read_once_for_each_version():
    versions, ports = Versions(), Ports()
    served = workflow("tea", versions)

    made = [drive_sync(as_pinned(served, granted("tea", pin(each))), ports) for each in ("d1", "d2", "d1")]

    assert [each.name for each in made] == ["tea@2", "tea@2", "tea@2"]
    assert made[0] is made[2]
    assert ports.paths == ["/v1/workflows/wf_1/versions/2"] * 2
    assert [(each.workflow, each.number, each.document) for each in versions.asked] == [
        ("tea", 2, {"name": "tea"})
    ] * 2


def test_without_a_pin_an_object_runs_as_it_is():
    served, ports = workflow("tea", Versions()), Ports()

    assert drive_sync(as_pinned(served, granted()), ports) is served
    assert ports.paths == []


def test_a_function_does_not_pretend_to_follow_a_spec():
    with pytest.raises(ConfigError, match=r"omium worker PATH\.py:OBJECT"):
        drive_sync(as_pinned(workflow("tea"), granted("tea", pin())), Ports())


def test_a_server_that_cannot_answer_now_fails_no_execution(monkeypatch):
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0.0)
    served = workflow("tea", Versions())

    with pytest.raises(ConnectionLost, match="Version 2 of tea could not be read"):
        drive_sync(as_pinned(served, granted("tea", pin())), Ports(503))
