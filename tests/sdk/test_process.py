"""Who a process is, whether another one is gone for certain, and what a fork leaves behind."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from omium.errors import ForkedDriver
from omium.models.execution import ProcessIdentity
from omium.sdk import process
from omium.sdk.batching import Writer
from omium.sdk.flows import Write
from omium.sdk.process import Process, current_process, is_gone
from tests.sdk.fakes import WriteServer, checkpoint, make_lease

LINUX = sys.platform.startswith("linux")
needs_proc = pytest.mark.skipif(not LINUX, reason="needs /proc")


def identity_of(pid: int) -> Process:
    here = current_process()
    ticks = process._started_ticks(process.PROC, pid)
    return Process(here.host_name, here.boot_id, here.pid_namespace, pid, ticks)


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        if child.poll() is None:
            child.kill()


def test_the_identity_is_what_travels():
    ProcessIdentity.model_validate(current_process().to_json())


@needs_proc
def test_a_running_process_is_not_gone():
    assert current_process().comparable
    assert is_gone(current_process()) is False


@needs_proc
def test_a_killed_process_is_gone_even_before_its_parent_has_noticed(sleeper):
    identity = identity_of(sleeper.pid)
    assert is_gone(identity) is False

    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, but still a zombie
    assert is_gone(identity) is True
    sleeper.wait()
    assert is_gone(identity) is True


@needs_proc
def test_a_stopped_process_is_not_gone(sleeper):
    identity = identity_of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    assert is_gone(identity) is False


@needs_proc
def test_a_later_process_with_the_same_pid_is_another(sleeper):
    identity = identity_of(sleeper.pid)
    earlier = Process(
        identity.host_name, identity.boot_id, identity.pid_namespace, identity.pid, identity.started_ticks - 1
    )
    assert is_gone(earlier) is True


@needs_proc
@pytest.mark.parametrize("change", ["boot_id", "pid_namespace"])
@pytest.mark.parametrize("value", ["", "another"])
def test_what_cannot_be_compared_is_not_claimed_to_be_gone(change, value):
    here = current_process()
    fields = here.to_json() | {"pid": 999_999_999, change: value}
    assert is_gone(Process(**fields)) is None


def test_without_proc_a_process_is_comparable_with_nothing(tmp_path):
    here = current_process(tmp_path)
    assert not here.comparable
    assert here.pid == os.getpid()
    assert is_gone(here, tmp_path) is None


@pytest.mark.parametrize("command", ["sleep", "a) S 1 2 (b", "()) Z"])
def test_a_command_with_parentheses_does_not_confuse_the_reader(tmp_path, command):
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("boot\n")
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[1]")
    for pid in (os.getpid(), 77):
        (tmp_path / str(pid)).mkdir()
        fields = " ".join(["S", *(str(n) for n in range(4, 22)), "4242", "0", "0"])
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({command}) {fields}\n")
    assert is_gone(Process("h", "boot", "pid:[1]", 77, 4242), tmp_path) is False
    assert is_gone(Process("h", "boot", "pid:[1]", 77, 4241), tmp_path) is True
    assert is_gone(Process("h", "boot", "pid:[1]", 78, 4241), tmp_path) is True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_may_not_use_the_parents_lease_but_can_write_under_its_own():
    server, go_on = WriteServer(), threading.Event()
    writer, lease = Writer(server), make_lease()
    server.hold = go_on
    under_way = threading.Thread(target=writer.write, args=(Write(lease, checkpoint("a")),))
    under_way.start()
    assert server.arrived.wait(30)

    child = os.fork()
    if child == 0:  # the parent's thread leads, and does not exist here
        code = 1
        try:
            signal.alarm(30)
            own = writer.write(Write(make_lease("ex_child"), checkpoint("b")))
            try:
                writer.write(Write(lease, checkpoint("c")))
            except ForkedDriver:
                code = 0 if own.seq == 1 else 2
        finally:
            os._exit(code)
    go_on.set()
    under_way.join(30)
    assert os.waitpid(child, 0)[1] == 0
    assert writer.write(Write(lease, checkpoint("d"))).seq == 1
