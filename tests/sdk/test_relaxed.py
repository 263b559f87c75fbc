"""Relaxed executions: on while the server is away, complete when it is back."""

import pytest

import omium
from omium.errors import ConnectionLost, EffectUnavailable
from omium.jsonvalue import InputRecord
from omium.sdk.flows import drive_sync
from omium.sdk.joining import start_local
from omium.sdk.options import WorkflowOptions
from omium.sdk.session import current_session
from omium.sdk.starting import Beginning
from omium.states import Durability
from tests.sdk.edge import Edge, grant
from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]


@omium.step
def double(x):
    return 2 * x


@omium.workflow(durability="relaxed")
def relaxed(between=None):
    return [double(1), between and between(), double(2)]


def test_a_relaxed_execution_does_not_notice_that_its_server_is_away(server):
    def away():
        server.running.kill()

    assert relaxed(away) == [2, None, 4]
    server.running.restart()
    flush()

    detail = server.newest()
    assert detail["status"] == "completed"
    assert [step["key"] for step in detail["steps"]] == ["double", "double#2"]


def test_one_that_begins_while_the_server_is_away_is_told_to_it_later(server):
    server.running.kill()
    assert relaxed() == [2, None, 4]
    server.running.restart()
    flush()

    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("relaxed", "completed")
    assert len(detail["steps"]) == 2


DIES = """
    import os, omium

    @omium.step
    def work(x):
        with open("ran.txt", "a") as file:
            file.write(f"{x}\\n")
        return x * x

    @omium.workflow(durability="relaxed")
    def squares():
        done = [work(1)]
        if not os.path.exists("again"):
            open("again", "w").close()
            os.kill(int(open("server.pid").read()), 9)
            work(2)
            work(3)
            os._exit(7)
        return [*done, work(2), work(3), work(4)]

    if __name__ == "__main__":
        print(omium.run_workflow(squares, idempotency_key="only"))
"""


def test_what_a_dead_process_left_in_the_spool_is_sent_before_its_execution_goes_on(server):
    script = server.write("dies.py", DIES)
    (server.folder / "server.pid").write_text(str(server.running.pid))
    assert server.run(script)[0] == 7
    server.running.restart()

    code, out, err = server.run(script)

    assert (code, out) == (0, "[1, 4, 9, 16]\n"), err
    assert (server.folder / "ran.txt").read_text().split() == ["1", "2", "3", "4"]
    assert "refused" not in err


def test_the_spool_is_sent_before_the_grant_that_would_shut_it_out():
    edge, order = Edge(), []
    there = {"code": "execution-exists", "detail": "x", "execution_id": "ex_1", "same_start": True}
    stands = {"status": "failed", "generation": 1, "attempt": 1, "durability": "relaxed"}
    edge.answers = {
        "POST /v1/executions": [(409, there)],
        "GET /v1/executions/ex_1": [(200, stands), (200, stands)],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge))],
    }

    def prepare(execution_id):
        order.append((execution_id, len(edge.requests)))
        return len(order) == 1

    options = WorkflowOptions("w")
    beginning = Beginning("w", InputRecord({}, "0" * 64, "full"), options, Durability.RELAXED)
    joined = drive_sync(start_local(beginning, prepare), edge)

    assert joined.granted is not None
    assert order[0] == ("ex_1", 1)
    assert [method for method, *_ in edge.requests] == ["POST", "GET", "POST"]


OFFLINE = """
    import os, sys, omium
    import omium.sdk.transport.ports as ports

    ports.LEFTOVERS_WITHIN_S = 0  # nobody has to wait for this server

    @omium.step
    def work(x):
        with open("ran.txt", "a") as file:
            file.write(f"{x}\\n")
        return x * x

    @omium.step(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0))
    def outer():
        work(7)
        if not os.path.exists("failed"):
            open("failed", "w").close()
            raise ValueError("once")
        return work(8)

    @omium.workflow(durability="relaxed")
    def squares(n):
        done = [work(x) for x in range(n)]
        omium.checkpoint("draft", {"done": done})
        done.append(outer())
        if not os.path.exists("again"):
            open("again", "w").write(omium.execution_id())
            os.kill(os.getpid(), 9)
        return [*done, work(n), omium.load_checkpoint("draft")["done"]]

    if __name__ == "__main__":
        print(omium.resume(sys.argv[1]) if sys.argv[1:] else squares(2))
"""


def test_an_execution_that_began_and_died_offline_goes_on_offline_from_its_spool(server):
    script = server.write("offline.py", OFFLINE)
    server.running.kill()
    assert server.run(script)[0] == -9
    execution_id = (server.folder / "again").read_text()

    code, out, err = server.run(script, execution_id)

    assert (code, out) == (0, "[0, 1, 64, 4, [0, 1]]\n"), err
    assert (server.folder / "ran.txt").read_text().split() == ["0", "1", "7", "7", "8", "2"]
    server.running.restart()
    current_session().transport.spool.send_leftovers(execution_id, within_s=60)
    detail = server.detail(execution_id)
    # Seven with the first `outer/work`, which its failed try has taken along.
    assert (detail["status"], detail["attempt"], len(detail["steps"])) == ("completed", 1, 7)
    assert rejected_of(server) == []


def test_what_the_server_knows_in_part_does_not_go_on_without_it(server, monkeypatch):
    monkeypatch.setattr("omium.sdk.transport.ports.LEFTOVERS_WITHIN_S", 0)
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0)
    script = server.write("dies.py", DIES)
    (server.folder / "server.pid").write_text(str(server.running.pid))
    assert server.run(script)[0] == 7
    server.running.restart()
    execution_id = server.newest()["id"]
    server.running.kill()

    with pytest.raises(ConnectionLost):
        omium.resume(execution_id)

    assert len([*(server.folder / "config" / "spool").glob("*.spool")]) == 1


def test_a_block_begins_offline_too_unless_its_id_may_be_known_to_the_server(server, monkeypatch):
    monkeypatch.setattr("omium.sdk.transport.ports.LEFTOVERS_WITHIN_S", 0)
    server.running.kill()

    with omium.start_execution("block", durability="relaxed") as execution:
        assert execution.step("one", lambda: 1) == 1
    with (
        pytest.raises(ConnectionLost),
        omium.start_execution("block", execution_id="ex_01k9zzzzzzzzzzzzzzzzzzzzzz", durability="relaxed"),
    ):
        pass

    server.running.restart()
    flush()
    detail = server.newest()
    assert (detail["id"], detail["workflow"], detail["status"]) == (execution.id, "block", "completed")


def rejected_of(server):
    return [*(server.folder / "config" / "spool").glob("rejected/*.spool")]


GAP = """
    import os, sys, omium
    from omium.sdk.session import current_session
    from omium.sdk.spool_bounds import SpoolBounds

    @omium.step
    def small(x):
        with open("ran.txt", "a") as file:
            file.write(f"{x}\\n")
        return x

    @omium.step
    def large():
        return "x" * 200_000

    @omium.workflow(durability="relaxed")
    def flow():
        if not os.path.exists("again"):
            open("again", "w").close()
            spool = current_session().transport.spool
            spool._bounds = SpoolBounds(spool.folder.path, 100_000, 10**9)
        return small(1), len(large()), small(2)

    if __name__ == "__main__":
        print(omium.resume(sys.argv[1]) if sys.argv[1:] else flow())
"""


def test_after_a_gap_in_the_recording_a_resume_goes_on_from_before_it(server):
    script = server.write("gap.py", GAP)
    code, out, err = server.run(script)
    assert (code, out) == (0, "(1, 200000, 2)\n"), err
    assert "not recorded any more" in err
    execution = server.newest()
    assert execution["status"] == "running"  # nobody could say that it had ended
    assert [step["key"] for step in execution["steps"]] == ["small"]
    events = [each["type"] for each in server.get(f"/v1/executions/{execution['id']}/events")["items"]]
    assert events.count("recording.gapped") == 1

    code, out, err = server.run(script, execution["id"])

    assert (code, out) == (0, "(1, 200000, 2)\n"), err
    assert (server.folder / "ran.txt").read_text().split() == ["1", "2", "2"]
    assert server.detail(execution["id"])["status"] == "completed"


def test_what_needs_the_server_says_so(server, monkeypatch):
    @omium.step(effect=True)
    def pay():
        return "receipt"

    @omium.workflow(durability="relaxed")
    def order():
        server.running.kill()
        return pay()

    monkeypatch.setenv("OMIUM_EFFECT_WAIT_S", "0.2")
    omium.init()
    with pytest.raises(EffectUnavailable, match="was not called"):
        order()


def test_a_strict_execution_is_not_begun_without_its_server(server, monkeypatch):
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0.1)
    server.running.kill()

    @omium.workflow
    def strict():
        return 1

    with pytest.raises(ConnectionLost) as caught:
        strict()

    assert "omium serve" in "".join([str(caught.value), *caught.value.__notes__])


def flush():
    assert current_session().transport.spool.send_live(within_s=30.0)
