"""Modules that are loaded when they are needed, and those that are not looked for."""

import subprocess
import sys

import pytest

from omium.later import hidden, later


def test_a_module_is_loaded_when_it_is_first_needed():
    code = (
        "import sys; from omium.later import later;"
        "wave = later('wave'); assert 'wave' not in sys.modules;"
        "assert wave() is sys.modules['wave'] is wave()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_that_is_not_there_is_told_when_it_is_needed():
    nowhere = later("nowhere_at_all")
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        nowhere()


def test_what_is_hidden_is_not_found_and_there_again_afterwards():
    with pytest.raises(ImportError), hidden("wave"):
        import wave
    import wave

    with hidden("wave"):
        assert sys.modules["wave"] is wave


def test_a_server_starts_without_what_most_servers_never_need():
    code = (
        "import sys, omium.server.serve;"
        "seen = {name.partition('.')[0] for name in sys.modules} | set(sys.modules);"
        "print(sorted(seen & set(sys.argv[1:])))"
    )
    spared = ["rich", "markdown_it", "google", "prometheus_client", "omium.server.tls", "textual", "httpx"]
    done = subprocess.run([sys.executable, "-c", code, *spared], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
