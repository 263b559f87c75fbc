"""What a person is told whose file cannot be loaded: by an export, a worker, and a run alike."""

import subprocess
import sys

import pytest

from omium.adapters.native import adopt, missing_told
from omium.cli.here import user_file
from omium.errors import ConfigError
from omium.sdk.load_errors import NotLoaded
from omium.sdk.loading import load_target


@pytest.fixture
def write(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def save(text, name="agents_of_mine.py"):
        (tmp_path / name).write_text(text)
        request.addfinalizer(lambda: sys.modules.pop(name.removesuffix(".py"), None))
        return name

    return save


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "raise ValueError('no model\\nand more')",
            r"imported: ValueError: no model\. .* function without arguments.*agents_of_mine\.py:FUNCTION",
        ),
        ("import sys; sys.exit(3)", r"it called sys\.exit\(3\).* under `if __name__ == \"__main__\":`"),
        ("import sys; sys.exit()", r"it called sys\.exit\(\) meanwhile"),
        ("def broken(:", r"a SyntaxError in line 1 of .*agents_of_mine\.py"),
        ("import no_such_package", r"no_such_package is not installed in this Python \(.*python"),
    ],
)
def test_an_import_that_fails_says_why_and_what_to_do(write, text, told):
    with pytest.raises(NotLoaded, match=told):
        load_target(write(text))
    assert "agents_of_mine" not in sys.modules


def test_a_framework_that_is_missing_is_told_with_its_line_to_install(write):
    with pytest.raises(ConfigError, match=r"pip install 'omium-os\[sematic\]'"), missing_told():
        load_target(write("raise ModuleNotFoundError('no', name='sematic')"))


def test_the_users_own_frames_stand_above_the_sentence(write, capsys):
    with pytest.raises(NotLoaded), user_file():
        load_target(write("def make():\n    return {}['key']\n\nmake()\n"))

    told = capsys.readouterr().err
    assert 'agents_of_mine.py", line 2, in make' in told
    assert "KeyError: 'key'" in told
    assert "omium/sdk" not in told
    assert "importlib" not in told


HOLDS = """
import omium
from collections import OrderedDict

class Crew: pass
Crew.__module__ = "crewai.crew"
papers = Crew()

@omium.workflow
def report(topic): return topic

def make_letters(): return Crew()
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("paper", r"Did you mean .*\.py:papers\?"),
        ("mak_letters", r"Did you mean .*\.py:make_letters\?"),
        ("reprot", r"Did you mean .*\.py:report\?"),
        ("zzz", r"There are: papers, report\."),
    ],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(write, name, told):
    with pytest.raises(ConfigError, match=told), missing_told():
        load_target(f"{write(HOLDS)}:{name}")


def test_a_file_without_anything_says_so(write):
    told = "holds no workflow and no framework's object either"
    with pytest.raises(ConfigError, match=told), missing_told():
        load_target(f"{write('x = 1')}:crew")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("async def it(): ...", "is an async function, .* put @omium.workflow"),
        ("def it(topic): ...", r"needs arguments \(topic\).* put @omium.workflow"),
        ("def it(): ...", "returns nothing: .* put @omium.workflow"),
        ("def it(): return 1", r"makes an object of the class builtins\.int, .* put @omium.workflow"),
        ("def it(): raise KeyError('model')", "it makes nothing: KeyError: 'model'"),
    ],
)
def test_a_worker_says_why_a_function_makes_nothing_to_serve(write, text, told):
    target = f"{write(text)}:it"
    module, found = load_target(target)

    with pytest.raises(ConfigError, match=told):
        adopt(target, module, found)


@pytest.mark.parametrize("command", [["export"], ["worker"], ["run"]])
def test_every_command_ends_with_the_sentence(write, tmp_path, monkeypatch, command):
    for name in ("OMIUM_BASE_URL", "OMIUM_API_KEY"):
        monkeypatch.setenv(name, {"OMIUM_BASE_URL": "http://127.0.0.1:1"}.get(name, "om_test"))
    target = f"{write('import sys; sys.exit(3)')}:crew"

    done = subprocess.run(
        [sys.executable, "-m", "omium", *command, target],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "omium: agents_of_mine.py cannot be imported: it called sys.exit(3) meanwhile."
    )
