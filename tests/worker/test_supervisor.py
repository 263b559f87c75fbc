"""`--isolation process`: what cannot be stopped is killed, and goes on elsewhere."""

import signal

import omium
from tests.sdk.served import TIMEOUT_S, make_running_server, running_server, server, wait_until
from tests.worker.test_worker import wait_for_status

__all__ = ["make_running_server", "running_server", "server"]

SUPERVISOR = """
import sys
from omium.sdk.supervisor import Service, Supervisor

if __name__ == "__main__":
    supervisor = Supervisor(Service(sys.argv[1]), concurrency=1)
    supervisor.handle_signals()
    supervisor.run()
"""

SCRIPT = """
    import os, time, omium

    @omium.step(timeout_s=1, retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=0))
    def hangs():
        with open("pids.txt", "a") as file:
            file.write(f"{os.getpid()}\\n")
        if not os.path.exists("hung"):
            open("hung", "w").close()
            time.sleep(3600)
        return "ok"

    @omium.workflow
    def stubborn():
        return hangs()

    @omium.step
    def sleeps():
        open("asleep", "w").close()
        time.sleep(3600)

    @omium.workflow
    def deaf():
        return sleeps()
"""


def test_a_step_that_hangs_is_killed_with_its_process_and_tried_again_in_another(server):
    server.write("agents.py", SCRIPT)
    supervisor = server.start(server.write("supervise.py", SUPERVISOR), "agents.py")
    execution_id = omium.run_workflow("stubborn", wait=False)

    detail = wait_for_status(server, execution_id, "completed")

    assert detail["output"] == "ok"
    assert len(set((server.folder / "pids.txt").read_text().split())) == 2
    supervisor.send_signal(signal.SIGTERM)
    _, err = supervisor.communicate(timeout=TIMEOUT_S)
    assert supervisor.returncode == 0, err


def test_a_cancelled_execution_that_does_not_stop_is_killed_with_its_process(server):
    server.write("agents.py", SCRIPT)
    supervisor = server.start(server.write("supervise.py", SUPERVISOR), "agents.py")
    execution_id = omium.run_workflow("deaf", wait=False)
    wait_until((server.folder / "asleep").exists)

    server.post(f"/v1/executions/{execution_id}/cancel")

    detail = wait_for_status(server, execution_id, "cancelled")
    assert detail["cancel_outcome"] == "stopped"
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=TIMEOUT_S)
