"""Forked commands of a page behave as started ones: each test runs both ways and expects the same."""

import signal

import pytest

from tests.docs.snippets import Shell, Step

pytestmark = pytest.mark.parametrize("from_nothing", [False, True], ids=["forked", "started"])
WAIT = """python -c 'import os, time; print(os.getpid(), flush=True); time.sleep(600)' > out &"""
UNTIL_UP = "until [ -s out ]; do sleep 0.05; done"


@pytest.fixture
def shell(tmp_path, from_nothing):
    with Shell(tmp_path, from_nothing=from_nothing) as shell:
        yield shell


def run(shell, command, expected="", exit_code=0):
    shell.run(Step(1, command, exit_code, tuple(expected.splitlines())))


def test_a_forked_command_is_one(shell, from_nothing):
    run(shell, """python -c 'import sys; print("omium.cli.main" in sys.modules)'""", str(not from_nothing))


def test_arguments_streams_folder_and_environment_are_the_commands(shell):
    program = "import os, sys; print(sys.argv[1:], sys.stdin.read(), os.getcwd()[-2:], os.environ['WHO'])"
    run(shell, "mkdir x; cd x")

    run(shell, f'printf in | WHO=me python -c "{program}" one "two three"', "['one', 'two three'] in /x me")
    run(shell, """python -c 'import sys; print("out"); print("err", file=sys.stderr)' 2>&1 >out""", "err")
    run(shell, "cat out", "out")


def test_a_script_finds_what_lies_beside_it_and_is_the_main_module(shell):
    run(shell, "mkdir x; echo 'who = 1' > x/beside.py")
    run(shell, "echo 'import beside, sys; print(beside.who, __name__, __file__, sys.argv)' > x/script.py")

    run(shell, "python x/script.py a", "1 __main__ .../x/script.py ['x/script.py', 'a']")


def test_a_traceback_and_the_command_line_are_those_of_a_script(shell):
    run(shell, "echo 'import sys; print(sys.orig_argv[1:], flush=True); 1 / 0' > script.py")

    run(
        shell,
        "python script.py one 2>&1",
        "['script.py', 'one']\nTraceback (most recent call last):\n"
        '  File ".../script.py", line 1, in <module>\n'
        "    import sys; print(sys.orig_argv[1:], flush=True); 1 / 0\n"
        "                                                      ~~^~~\n"
        "ZeroDivisionError: division by zero",
        exit_code=1,
    )


@pytest.mark.parametrize("code", [0, 1, 77])
def test_the_exit_code_is_the_commands(shell, code):
    run(shell, f"python -c 'raise SystemExit({code})'", exit_code=code)


@pytest.mark.parametrize("name", ["KILL", "TERM", "USR1"])
def test_one_that_dies_of_a_signal_died_of_that(shell, name):
    died = f"import os, signal; os.kill(os.getpid(), signal.SIG{name})"

    run(shell, f"python -c '{died}' 2>&1", exit_code=128 + getattr(signal, f"SIG{name}"))


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1"])
def test_a_signal_reaches_the_command(shell, name):
    waiting = (
        "import signal, time, sys; "
        f'signal.signal(signal.SIG{name}, lambda *_: sys.exit(9)); print("up", flush=True); time.sleep(600)'
    )
    run(shell, f"python -c '{waiting}' > out & JOB=$!; {UNTIL_UP}")

    run(shell, f"kill -{name} $JOB; wait $JOB", exit_code=9)


def test_a_killed_command_leaves_nothing(shell):
    run(shell, f"{WAIT} JOB=$!; {UNTIL_UP}")

    run(shell, "kill -KILL $JOB; wait $JOB 2>/dev/null", exit_code=137)

    run(shell, "while kill -0 $(cat out) 2>/dev/null; do sleep 0.05; done")


def test_the_end_of_the_shells_group_is_the_end_of_its_commands(shell):
    run(shell, f"{WAIT} {UNTIL_UP}")

    shell.kill()

    shell.process.stdout.read()  # ends when nobody is left who could write to it


def test_what_python_reads_at_its_start_is_read(shell):
    run(shell, """PYTHONHASHSEED=0 python -c 'import sys; print(sys.flags.hash_randomization)'""", "0")
    run(shell, "echo 'print(6 * 7)' | python -", "42")
