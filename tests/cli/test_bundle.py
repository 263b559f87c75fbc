"""`omium bundle create|open`, as a person and a script use them."""

import stat
import unicodedata

import pytest

from omium.bundle import write_bundle
from tests.bundle.recorded import HOSTILE, record
from tests.cli.conftest import make_cli
from tests.cli.terminal import Terminal
from tests.serverfixture import open_app_client, test_settings

FAILING = """
import my_agents
try:
    my_agents.report("bad")
except ValueError:
    pass
"""


def test_a_failed_execution_is_put_into_a_file_and_looked_at_without_its_server(cli, running_server):
    cli.python(FAILING)

    made = cli("bundle", "create", "last", "--json")
    assert made.code == 0, made.err
    facts = made.json
    file = cli.folder / facts["file"]
    assert file.name == f"{facts['execution_id']}.omium"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    again = cli("bundle", "create", "last")
    assert (again.code, "add --yes" in again.err) == (2, True)
    assert cli("bundle", "create", "last", "--yes", "--without-values", "-o", "bare.omium").code == 0

    running_server.kill()
    report = cli("bundle", "open", file.name)
    assert report.code == 0, report.err
    for told in (
        "The step write of report failed with ValueError: nonsense about bad",
        facts["sha256"],
        "Retry      safe",
        "✗ failed",
        '"topic": "bad"',
        "searching for bad",
        "checkpoint.saved",
        "charge",
    ):
        assert told in report.out
    assert "omium resume" not in report.out + report.err  # there is nothing here that could go on

    everything = cli("bundle", "open", file.name, "--json").json
    assert everything["bundle"]["sha256"] == facts["sha256"]
    assert [step["key"] for step in everything["execution"]["steps"]] == ["plan", "research", "write"]
    assert everything["failures"][0]["step"] == "write"
    assert {"effects", "events", "attempts", "usage", "charges", "compensations"} <= everything.keys()

    assert cli("bundle", "open", file.name, "--step", "plan", "--json").json["topic"] == "bad"
    unknown = cli("bundle", "open", file.name, "--step", "nowhere")
    assert (unknown.code, "there are: plan, research, write" in unknown.err) == (2, True)

    bare = cli("bundle", "open", "bare.omium")
    assert bare.code == 0
    assert "left out" in bare.out
    assert "searching for bad" not in bare.out
    assert '"topic"' not in bare.out


def test_on_a_terminal_it_asks_before_it_overwrites(cli):
    cli.python(FAILING)
    kept = cli.folder / "kept.omium"
    kept.write_text("precious")

    terminal = Terminal(cli, "bundle", "create", "last", "-o", "kept.omium")
    terminal.expect("Overwrite it?")
    terminal.type("n\n")
    assert terminal.end() != 0
    assert kept.read_text() == "precious"

    terminal = Terminal(cli, "bundle", "create", "last", "-o", "kept.omium")
    terminal.expect("Overwrite it?")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "SHA-256" in terminal.shown
    assert cli("bundle", "open", "kept.omium").code == 0


def test_on_a_terminal_the_dashboard_shows_it_without_a_server(cli, running_server):
    cli.python(FAILING)
    assert cli("bundle", "create", "last", "-o", "made.omium").code == 0
    running_server.kill()

    terminal = Terminal(cli, "bundle", "open", "made.omium", columns=110)
    terminal.expect("a file, read only")
    terminal.expect("nonsense about bad")
    for _ in range(60):  # what is typed before it listens is lost
        terminal.type("q")
        terminal.read(1)
        if terminal.process.poll() is not None:
            break
    assert terminal.end() == 0

    plain = Terminal(cli, "bundle", "open", "made.omium", "--plain", columns=110)
    plain.expect("The step write of report failed with ValueError: nonsense about bad")
    assert plain.end() == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cut off, or no bundle at all"),
        (b"PK\x05\x06" + bytes(18), "no manifest"),
        (None, "cannot be opened"),
    ],
)
def test_what_is_no_bundle_is_refused_in_one_sentence(lone_cli, content, sentence):
    if content is not None:
        (lone_cli.folder / "strange.omium").write_bytes(content)

    refused = lone_cli("bundle", "open", "strange.omium")

    assert (refused.code, refused.out) == (1, "")
    assert sentence in refused.err
    assert "Traceback" not in refused.err


async def test_what_a_stranger_put_into_every_text_moves_no_cursor(tmp_path):
    async with open_app_client(test_settings(tmp_path)) as app:
        made = await record(app, hostile=HOSTILE)
        async with made.client() as client:
            await write_bundle(client, made.id, tmp_path / "hostile.omium")
    cli = make_cli(tmp_path, OMIUM_BASE_URL="http://127.0.0.1:1")

    for arguments in ((), ("--json",), ("--step", "s0"), ("--execution", "\x1b[31m")):
        told = cli("bundle", "open", "hostile.omium", *arguments)
        text = told.out + told.err
        obeyed = {each for each in text if unicodedata.category(each) in ("Cc", "Cf") and each not in "\n\t"}
        assert obeyed == set(), arguments
        assert told.code == (1 if "--execution" in arguments else 0)
    steps = cli("bundle", "open", "hostile.omium", "--json").json["execution"]["steps"]
    outputs = {step["key"]: step["output"] for step in steps}
    assert outputs["s0"]["said"] == HOSTILE  # escaped for the terminal, whole for a script
