"""The spool: durable when it says so, private, bounded, sent in order; each answer has its consequence."""

import contextlib
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.config import Settings
from omium.errors import (
    ConnectionLost,
    EffectUnavailable,
    ExecutionExists,
    IllegalTransition,
    LeaseLost,
    PayloadTooLarge,
    ScopeMissing,
    StepConflict,
    Unauthenticated,
)
from omium.models.driver import WriteBatch
from omium.models.execution import StartExecution
from omium.sdk.batching import Writer
from omium.sdk.flows import HttpAnswer, Write
from omium.sdk.sealing import load_key
from omium.sdk.spool import SpoolFile
from omium.sdk.spool_folder import SpoolFolder, list_spooled
from omium.sdk.spooling import Spool, _decode
from omium.states import Durability
from tests.sdk.fakes import WriteServer, away, checkpoint, make_lease, problem_answer, usage

RELAXED = Durability.RELAXED
KEY = b"k" * 32
START = {"id": "ex_1", "workflow": "w", "driver": "local", "input_digest": "0" * 64, "lease_token": "t"}


class Ports:
    """The ports of a spool over a server at its edge."""

    def __init__(self, server):
        self.server = server
        self.starts = []

    def http(self, request):
        if request.path == "/v1/writes":
            return self.server(request)
        if self.server.script:
            happens = self.server.script.pop(0)
            if isinstance(happens, BaseException):
                raise happens
            if happens is not None:
                return happens
        assert request.path == "/v1/executions"
        StartExecution.model_validate_json(request.body)
        self.starts.append((request.idempotency_key, json.loads(request.body)))
        return HttpAnswer(200, {}, b"{}", 0)

    def sleep(self, seconds):
        self.server.clock.advance(seconds)

    def write(self, request):
        raise AssertionError("a spool sends batches")


@pytest.fixture
def server():
    return WriteServer(ManualClock())


@pytest.fixture
def open_spool(tmp_path, server):
    opened = []

    def open_spool(**changes):
        bounds = {"bounds": changes.pop("bounds")} if "bounds" in changes else {}
        settings = Settings(**{"folder": tmp_path, "api_key": "om_a", **changes})
        opened.append(Spool(settings, Ports(server), clock=server.clock, **bounds))
        return opened[-1]

    yield open_spool
    for spool in opened:
        die(spool)


def die(spool):
    """Let go of the files as the end of the process does, without sending."""
    for live in spool._live.values():
        if not live.closed:
            live.file.close()
    spool._live = {}


def relaxed(execution_id="ex_1", **changes):
    return make_lease(execution_id, durability=RELAXED, **changes)


def record(spool, lease, *names):
    writer = Writer(spool._ports.http, recorder=spool, clock=spool._clock, sleep=spool._ports.sleep)
    return [writer.write(Write(lease, checkpoint(name) if isinstance(name, str) else name)) for name in names]


def unsent_names(spool, execution_id):
    """The names of what waits here: left by dead processes, then our own."""
    taken = [spool.folder.take_over(path) for path in spool.folder.list_paths(execution_id)]
    dead = [file for file, _ in filter(None, taken)]
    own = [spool._live[execution_id].file] if execution_id in spool._live else []
    names = [write["name"] for file in [*dead, *own] for _, write in _decode(file)]
    for file in dead:
        file.close()
    return names


def files(tmp_path):
    return [name for name, rejected, _ in list_spooled(tmp_path / "spool") if not rejected]


def rejected(tmp_path):
    return [name for name, rejected, _ in list_spooled(tmp_path / "spool") if rejected]


# Recording.


def test_a_relaxed_write_is_on_the_disk_when_it_returns_and_not_at_the_server(
    tmp_path, open_spool, server, monkeypatch
):
    synced = []
    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(os.fstat(fd).st_size), fdatasync(fd))[1])
    spool, lease = open_spool(), relaxed()

    [outcome] = record(spool, lease, "a")

    assert outcome.spooled
    assert server.bodies == []
    assert synced[-1] == (tmp_path / "spool" / files(tmp_path)[0]).stat().st_size
    assert unsent_names(spool, "ex_1") == ["a"]


def test_spool_and_key_are_private_and_hold_no_clear_text(tmp_path, open_spool):
    record(open_spool(), relaxed(token="lease-token-secret"), checkpoint("a", {"password": "hunter2"}))
    path = tmp_path / "spool" / files(tmp_path)[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "spool.key").stat().st_mode) == 0o600
    for secret in (b"hunter2", b"lease-token-secret", b"om_a", b"password"):
        assert secret not in path.read_bytes()


def test_what_is_recorded_is_a_driver_write(open_spool, server):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a", usage("u"))
    assert spool.send_live()
    WriteBatch.model_validate_json(server.bodies[0])


def test_threads_that_record_at_once_lose_nothing(open_spool, server):
    spool, lease = open_spool(), relaxed()
    threads = [
        threading.Thread(target=record, args=(spool, lease, *(f"{n}.{k}" for k in range(10))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert spool.send_live()
    names = [name for request in server.names for name in request]
    assert sorted(names) == sorted(f"{n}.{k}" for n in range(8) for k in range(10))
    for n in range(8):
        own = [name for name in names if name.startswith(f"{n}.")]
        assert own == [f"{n}.{k}" for k in range(10)]


# Sending.


def test_sending_keeps_the_order_and_makes_the_file_small_again(tmp_path, open_spool, server):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, *"abc")
    before = (tmp_path / "spool" / files(tmp_path)[0]).stat().st_size

    assert spool.send_live()

    assert server.names == [["a", "b", "c"]]
    assert not spool.pending(lease)
    assert (tmp_path / "spool" / files(tmp_path)[0]).stat().st_size < before
    record(spool, lease, "d")
    assert spool.send_live()
    assert server.names[1:] == [["d"]]


def test_a_file_goes_away_when_its_execution_has_ended_and_all_is_sent(tmp_path, open_spool):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a", {"type": "execution.completed", "output": 1})
    assert spool.send_live()
    assert list(tmp_path.glob("spool/*")) == []


def test_a_file_goes_away_when_its_execution_waits_elsewhere(tmp_path, open_spool, server):
    spool, lease = open_spool(), relaxed()
    waits = {"type": "execution.waits", "reason": "signal", "wake_at_us": None, "detail": None}
    record(spool, lease, "a", waits)
    assert server.names == [["a"], ["execution.waits"]]
    assert list(tmp_path.glob("spool/*")) == []

    record(spool, relaxed(epoch=2), "b")  # it's resumed here
    assert spool.send_live()
    assert server.names[2:] == [["b"]]


def test_an_execution_that_is_resumed_here_records_again(tmp_path, open_spool, server):
    spool = open_spool()
    record(spool, relaxed(), {"type": "execution.suspends", "reason": "operator"})
    record(spool, relaxed(epoch=2, token="u"), "b")
    assert spool.send_live()
    assert [json.loads(body)["groups"][-1]["epoch"] for body in server.bodies][-1] == 2
    assert len(files(tmp_path)) == 1, "it has not ended"


def test_a_server_that_is_away_leaves_everything_in_place(open_spool, server):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, *"ab")
    server.script = [away() for _ in range(1000)]
    assert not spool.send_live(within_s=5)
    server.script.clear()
    assert spool.send_live()
    assert server.names == [["a", "b"]]


def test_an_effect_waits_until_what_was_before_it_is_sent(open_spool, server):
    spool, lease = open_spool(), relaxed()
    intended = {
        "type": "effect.intended", "path": "p", "name": "pay", "input_digest": "0" * 64, "started_at_us": 1,
        "ended_at_us": 1,
    }  # fmt: skip
    record(spool, lease, "a")
    outcomes = record(spool, lease, intended)
    assert not outcomes[0].spooled
    assert server.names == [["a"], ["pay"]]

    record(spool, lease, "b")
    server.script = [away() for _ in range(1000)]
    writer = Writer(spool._ports.http, recorder=spool, clock=server.clock, sleep=spool._ports.sleep)
    with pytest.raises(ConnectionLost):
        writer.write(Write(lease, intended, within_s=30))


def test_a_heartbeat_is_spared_while_records_wait(open_spool, server):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a", {"type": "heartbeat"})
    assert server.bodies == []
    spool.send_live()
    record(spool, lease, {"type": "heartbeat"})
    assert server.names == [["a"], ["heartbeat"]]


def test_a_cancel_reaches_a_relaxed_driver_with_the_answers(open_spool, server):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a")
    server.cancelled.add("ex_1")
    spool.send_live()
    assert lease.cancel_requested
    assert record(spool, lease, "b")[0].cancel_requested


# The table of answers.


def test_after_a_lost_lease_the_rest_is_rejected_but_usage_is_told(tmp_path, open_spool, server, caplog):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a", usage("u1"), "b", usage("u2"))
    server.lost.add("ex_1")

    assert spool.send_live()

    assert len(rejected(tmp_path)) == 2
    taken = [name for request in server.names for name in request if name.startswith("u")]
    assert set(taken) == {"u1", "u2"}
    with pytest.raises(LeaseLost):
        record(spool, lease, "c")
    assert "was refused and moved" in caplog.text


@pytest.mark.parametrize("problem", [PayloadTooLarge(), StepConflict(), IllegalTransition()])
def test_an_entry_that_is_refused_goes_alone(tmp_path, open_spool, server, problem):
    spool = open_spool()
    record(spool, relaxed(), *"abc")
    server.problems["b"] = problem
    assert spool.send_live()
    assert len(rejected(tmp_path)) == 1
    assert server.names == [["a", "b", "c"]]


@pytest.mark.parametrize("problem", [Unauthenticated(), ScopeMissing()])
def test_a_refused_key_keeps_everything_for_a_better_one(tmp_path, open_spool, server, problem, caplog):
    spool = open_spool()
    record(spool, relaxed(), *"ab")
    server.script = [problem_answer(problem)]
    assert not spool.send_live()
    assert "stay in the spool" in caplog.text
    assert rejected(tmp_path) == []
    assert spool.send_live()
    assert server.names == [["a", "b"]]


def test_a_start_made_offline_is_sent_before_what_it_did(open_spool, server):
    spool, lease = open_spool(), relaxed()
    spool.start(lease, json.dumps(START).encode())
    record(spool, lease, "a")
    assert spool.send_live()
    assert spool._ports.starts == [("ex_1", START)]
    assert server.names == [["a"]]
    group = json.loads(server.bodies[0])["groups"][0]
    assert (group["epoch"], group["lease_token"]) == (1, "t")


def test_a_start_that_meets_another_execution_rejects_the_rest(tmp_path, open_spool, server):
    spool, lease = open_spool(), relaxed()
    spool.start(lease, json.dumps(START).encode())
    record(spool, lease, "a", usage("u"))
    server.script = [problem_answer(ExecutionExists())]
    assert spool.send_live()
    assert len(rejected(tmp_path)) == 2
    assert server.names == [["u"]]
    assert lease.lost


# Bounds.


def test_a_full_spool_ends_the_recording_for_good_and_the_user_goes_on(open_spool, server, caplog):
    spool, lease = open_spool(bounds=(2000, 10**9)), relaxed()
    record(spool, lease, "a", checkpoint("big", "x" * 3000), "c")

    assert "all that it may" in lease.recording_gap
    assert "not recorded any more" in caplog.text
    with pytest.raises(EffectUnavailable, match="not called"):
        spool.drain(lease, 30)
    assert spool.send_live()
    assert server.names == [["a", "recording.gapped"]]
    record(spool, lease, "d")
    assert spool.send_live()
    assert len(server.names) == 1, "nothing is recorded behind a gap"


def test_the_spool_of_the_whole_host_is_bounded(open_spool):
    spool = open_spool(bounds=(10**9, 3000))
    first, second = relaxed("ex_1"), relaxed("ex_2")
    record(spool, first, checkpoint("a", "x" * 2000))
    record(spool, second, checkpoint("a", "x" * 2000))
    assert first.recording_gap is None
    assert "all that it may" in second.recording_gap


def test_a_disk_that_is_full_leaves_whole_frames_only(tmp_path, open_spool, monkeypatch, server):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a")
    write = os.write

    def nearly_full(fd, data):
        if len(data) < 2000:
            return write(fd, data)
        if len(data) > 3000:
            return write(fd, data[:500])  # a part of it still fits
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", nearly_full)
    record(spool, lease, checkpoint("b", "x" * 3000))
    assert "No space left" in lease.recording_gap
    assert spool.send_live()
    assert server.names == [["a", "recording.gapped"]]


def test_a_folder_that_cannot_be_written_does_not_stop_the_user(tmp_path, open_spool):
    (tmp_path / "spool").write_text("not a folder")
    lease = relaxed()
    assert record(open_spool(), lease, "a")[0].spooled
    assert "cannot be written" in lease.recording_gap


# What dead processes left.


def test_the_next_process_sends_what_a_dead_one_left(tmp_path, open_spool, server):
    dead = open_spool()
    record(dead, relaxed(), *"ab")
    die(dead)
    spool = open_spool()
    assert unsent_names(spool, "ex_1") == ["a", "b"]

    done = spool.send_leftovers()

    assert (done.sent, done.rejected, done.kept) == (2, 0, None)
    assert server.names == [["a", "b"]]
    assert list((tmp_path / "spool").iterdir()) == []


def test_the_file_of_a_living_process_is_left_alone(open_spool, server):
    record(open_spool(), relaxed(), "a")
    assert open_spool().send_leftovers().sent == 0
    assert server.bodies == []


def test_only_the_execution_that_is_asked_for_is_sent(open_spool, server):
    dead = open_spool()
    for name in ("ex_1", "ex_11", "odd/../id"):
        record(dead, relaxed(name), "a")
    die(dead)
    spool = open_spool()
    assert spool.send_leftovers("ex_1").sent == 1
    assert spool.send_leftovers("odd/../id").sent == 1
    assert [request[0][0] for request in server.seen] == ["ex_1", "odd/../id"]


def test_who_asks_for_leftovers_waits_for_those_that_are_being_sent(open_spool, server):
    dead = open_spool()
    record(dead, relaxed(), "a")
    die(dead)
    spool = open_spool()
    go_on = server.hold = threading.Event()
    background = threading.Thread(target=spool.send_leftovers)
    background.start()
    assert server.arrived.wait(30)
    asking = threading.Thread(target=spool.send_leftovers, args=("ex_1",))
    asking.start()
    asking.join(0.2)
    assert asking.is_alive()
    go_on.set()
    asking.join(30)
    assert not asking.is_alive()
    assert server.names == [["a"]]
    background.join(30)


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "http://other:1", "tenant_id": "tn_1"},
        {"api_key": "om_b"},
        {"api_key": "om_b", "tenant_id": "tn_2"},
    ],
)
def test_records_do_not_go_to_another_server_or_tenant(open_spool, server, change):
    dead = open_spool(tenant_id="tn_1")
    record(dead, relaxed(), "a")
    die(dead)
    assert open_spool(**change).send_leftovers().sent == 0
    assert server.bodies == []
    assert open_spool(api_key="om_c", tenant_id="tn_1").send_leftovers().sent == 1


def test_dying_between_answer_and_note_sends_again_in_order(open_spool, server, monkeypatch):
    dead = open_spool()
    record(dead, relaxed(), *"ab")
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):

        def killed(self, seq):
            raise KeyboardInterrupt

        patch.setattr(SpoolFile, "acknowledge", killed)
        dead.send_live()
    die(dead)
    record(spool := open_spool(), relaxed("ex_2"), "c")
    assert spool.send_leftovers().sent == 2
    assert server.names == [["a", "b"], ["a", "b"]]


def test_what_was_noted_is_not_sent_again(open_spool, server, monkeypatch):
    dead = open_spool()
    record(dead, relaxed(), *"abc")
    live = dead._live["ex_1"]
    live.file.acknowledge(2)  # the owner is 0
    die(dead)
    open_spool().send_leftovers()
    assert server.names == [["c"]]


def test_damage_behind_the_sent_part_is_kept_for_a_person(tmp_path, open_spool, server, caplog):
    dead, lease = open_spool(), relaxed()
    record(dead, lease, "a")
    path = tmp_path / "spool" / files(tmp_path)[0]
    start = path.stat().st_size
    record(dead, lease, *"bc")
    die(dead)
    data = bytearray(path.read_bytes())
    data[start + 30] ^= 1  # inside of b, with all of c behind it
    path.write_bytes(data)

    assert open_spool().send_leftovers().sent == 1
    assert server.names == [["a"]]
    assert rejected(tmp_path) == [path.name]
    assert "is damaged" in caplog.text


def test_another_key_opens_nothing_and_deletes_nothing(tmp_path, open_spool, server, caplog):
    dead = open_spool()
    record(dead, relaxed(), "a")
    die(dead)
    (tmp_path / "spool.key").write_bytes(b"z" * 32)
    assert open_spool().send_leftovers().sent == 0
    assert len(files(tmp_path)) == 1
    assert "another key" in caplog.text


@pytest.mark.parametrize("content", [b"", b"OMSPOOL1", b"hello", b"\x00" * 200])
def test_a_file_without_a_whole_owner_was_never_promised(tmp_path, open_spool, content):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "ex_1.ab.spool").write_bytes(content)
    assert open_spool().send_leftovers().sent == 0


# Torn files.


@given(
    bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=6),
    cut=st.integers(min_value=0),
    zeros=st.integers(min_value=0, max_value=40),
)
def test_a_file_cut_anywhere_gives_a_prefix_of_what_was_recorded(tmp_path_factory, bodies, cut, zeros):
    path = tmp_path_factory.mktemp("spool") / "ex_1.ab.spool"
    file = SpoolFile.create(path, KEY, b"owner")
    whole = [path.stat().st_size]
    for body in bodies:
        file.append(body)
        whole.append(path.stat().st_size)
    file.close()
    data = path.read_bytes()
    cut %= len(data) + 1
    path.write_bytes(data[:cut] + b"\x00" * zeros)

    taken = SpoolFile.take_over(path, KEY)

    expected = bodies[: max(0, sum(end <= cut for end in whole) - 1)]
    assert [body for _, body in taken.unsent()] == expected
    if cut >= whole[0]:
        assert not taken.damaged
    taken.close()


@given(st.binary(min_size=1, max_size=50), st.integers(min_value=0))
def test_an_altered_body_is_never_taken_for_a_record(tmp_path_factory, body, where):
    path = tmp_path_factory.mktemp("spool") / "ex_1.ab.spool"
    file = SpoolFile.create(path, KEY, b"owner")
    start = path.stat().st_size
    file.append(body)
    file.close()
    data = bytearray(path.read_bytes())
    data[start + where % (len(data) - start)] ^= 0x40
    path.write_bytes(data)
    taken = SpoolFile.take_over(path, KEY)
    assert list(taken.unsent()) == []
    taken.close()


# Processes.

PROGRAM = """
    import sys, itertools
    from pathlib import Path
    from omium.config import Settings
    from omium.sdk.spooling import Spool, _decode
    from tests.sdk.test_spool import relaxed, checkpoint
    from omium.jsonvalue import json_bytes
    spool = Spool(Settings(folder=Path(sys.argv[1]), api_key="om_a"), None)
    lease = relaxed()
    for number in itertools.count():
        spool.append(lease, "checkpoint.saved", json_bytes(checkpoint(str(number), "x" * 300)))
        print(number, flush=True)
"""


@pytest.mark.parametrize("round_", range(3))
def test_a_process_killed_while_it_records_loses_nothing_that_had_returned(
    tmp_path, open_spool, server, round_
):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        promised = [child.stdout.readline().strip() for _ in range(20 + round_)]
        child.send_signal(signal.SIGKILL)
        promised += child.stdout.read().split()
        child.wait()

    done = open_spool().send_leftovers()

    assert done.kept is None
    arrived = [name for request in server.names for name in request]
    assert arrived[: len(promised)] == promised
    assert arrived == [str(number) for number in range(len(arrived))]
    assert len(arrived) <= len(promised) + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_file_alone(tmp_path, open_spool):
    spool, lease = open_spool(), relaxed()
    record(spool, lease, "a")
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        code = 1
        try:
            own = relaxed("ex_child")
            record(spool, own, "c")
            code = 0 if spool.pending(own) and not spool.pending(lease) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    record(spool, lease, "b")
    assert unsent_names(spool, "ex_1") == ["a", "b"]
    assert len(files(tmp_path)) == 2
    assert open_spool().send_leftovers("ex_1").sent == 0, "the parent lives and holds the lock"


def test_two_processes_at_once_agree_on_one_key(tmp_path):
    code = """if True:
        import sys
        from pathlib import Path
        from omium.sdk.sealing import load_key
        sys.stdin.read()
        print(load_key(Path(sys.argv[1])).hex())
    """
    command = [sys.executable, "-c", code, str(tmp_path / "c")]
    programs = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    keys = {program.communicate("", timeout=60)[0] for program in programs}
    assert keys == {load_key(tmp_path / "c").hex() + "\n"}
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["spool.key"]


# Going on offline.


def start_of(execution_id="ex_1"):
    return json.dumps({"id": execution_id, "workflow": "w", "lease_token": "t"}).encode()


def test_a_file_that_is_adopted_goes_on_where_it_was(open_spool, server):
    dead, lease = open_spool(), relaxed()
    dead.start(lease, start_of())
    record(dead, lease, "a")
    die(dead)
    spool = open_spool()

    assert [kind for kind, _ in spool.adopt("ex_1")] == ["start", "checkpoint.saved"]
    record(spool, relaxed(), "b", "c")
    die(spool)

    assert unsent_after_start(open_spool()) == ["a", "b", "c"]


def test_a_torn_end_goes_away_when_its_file_is_adopted(tmp_path, open_spool):
    dead, lease = open_spool(), relaxed()
    dead.start(lease, start_of())
    record(dead, lease, "a")
    die(dead)
    path = tmp_path / "spool" / files(tmp_path)[0]
    whole = path.read_bytes()
    path.write_bytes(whole + b"\x40\x00\x00\x00torn")
    spool = open_spool()

    assert len(spool.adopt("ex_1")) == 2
    record(spool, relaxed(), "b")
    die(spool)

    assert path.read_bytes().startswith(whole)
    assert unsent_after_start(open_spool()) == ["a", "b"]


@pytest.mark.parametrize(
    "left",
    [
        [],
        [{"type": "execution.completed", "output": 1}],
        [{"type": "recording.gapped", "id": "oc_1", "error": {}}],
    ],
    ids=["sent in part", "ended", "gapped"],
)
def test_what_is_not_all_here_or_has_ended_is_not_adopted(tmp_path, open_spool, left):
    dead, lease = open_spool(), relaxed()
    if left:
        dead.start(lease, start_of())
    record(dead, lease, "a", *left)
    die(dead)
    spool = open_spool()

    assert spool.adopt("ex_1") is None
    assert len(files(tmp_path)) == 1


def test_the_file_of_a_living_process_is_not_adopted(open_spool):
    alive, lease = open_spool(), relaxed()
    alive.start(lease, start_of())

    assert open_spool().adopt("ex_1") is None


def unsent_after_start(spool):
    """Adopt, so that the start is looked at, and return the names behind it."""
    (kind, _), *writes = spool.adopt("ex_1")
    assert kind == "start"
    return [write["name"] for _, write in writes]


def test_a_file_is_not_lost_to_who_looks_at_it_before_it_is_locked(tmp_path, monkeypatch):
    """A process that starts looks for what dead ones have left, and finds a file that is still empty."""
    folder = SpoolFolder(Settings(folder=tmp_path, api_key="om_a"))
    real, lookers = fcntl.flock, ["looks"]

    def flock(descriptor, operation):
        if lookers:  # just now, between the file's name and its lock
            lookers.clear()
            assert folder.take_over(folder.list_paths()[0]) is None
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    made = folder.create("ex_1", "start", 1)
    made.append(b"recorded")
    made.close()

    (path,) = folder.list_paths()
    taken, execution_id = folder.take_over(path)
    assert (execution_id, taken.next_seq) == ("ex_1", 2)
    taken.close()
