"""CrewAI calls nobody but the model while Omium runs it, though nothing in the environment says so."""

import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
WATCH = """
    import runpy, sys

    def watch(event, arguments):
        if event in ("socket.connect", "socket.getaddrinfo"):
            host = arguments[1][0] if event == "socket.connect" else arguments[0]
            if isinstance(host, str) and not host.startswith(("127.", "localhost", "/")):
                print("CALLED", event, host, flush=True)

    sys.addaudithook(watch)
    runpy.run_path("killed_tools.py", run_name="__main__")
    from crewai.telemetry import Telemetry
    print("TELEMETRY", Telemetry()._should_execute_telemetry())
"""


@pytest.mark.timeout(600)  # it starts CrewAI, on a machine that may be busy
def test_a_crew_reaches_for_nobody_but_its_model(server, model, monkeypatch):
    for name in ("CREWAI_DISABLE_TELEMETRY", "CREWAI_TRACING_ENABLED", "CREWAI_DISABLE_VERSION_CHECK"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(FOLDER / "killed_tools.py", server.folder)

    code, out, err = server.run(server.write("watch.py", WATCH), "kickoff")

    assert code == 0, out + err
    assert "OUTPUT ann paid." in out
    assert "CALLED" not in out
    assert "TELEMETRY False" in out
