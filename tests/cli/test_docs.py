"""`omium docs`: Markdown in a pipe, JSON for scripts, a reader in a terminal; no server, no network."""

import os
import subprocess
import sys

import pytest

from omium.cli.main import run
from omium.manual import Manual
from tests.cli.terminal import Terminal
from tests.docs.pages import ROOT


@pytest.fixture
def omium(capsys):
    def call(*arguments):
        code = run(["docs", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_in_a_pipe_a_page_is_its_markdown_without_the_notes_to_our_tests(omium):
    code, out, err = omium("quickstart")

    assert (code, err) == (0, "")
    assert out.startswith("# Quickstart")
    assert "```console" in out
    assert "<!--" not in out


def test_without_a_name_it_is_the_index(omium):
    assert omium()[1].startswith("# Documentation\n")


def test_a_heading_prints_its_part_alone(omium):
    out = omium("keys.md#caps")[1]

    assert out.startswith("## Caps\n")
    assert "\n## " not in out


def test_an_errors_code_prints_what_to_do_about_it(omium):
    assert omium("lease-lost")[1].startswith("### lease-lost\n\n409. ")


def test_an_unknown_page_is_wrong_use_and_names_the_nearest(omium):
    code, out, err = omium("keyz")

    assert (code, out) == (1, "")
    assert err == (
        "omium: There is no page 'keyz' in the documentation. The nearest: keys. All: omium docs --list\n"
    )


def test_the_list_has_every_page_by_group(omium):
    out = omium("--list")[1]

    assert out.index("Begin\n") < out.index("quickstart ") < out.index("Reference\n") < out.index("http ")


def test_a_search_lists_places_with_what_stands_there(omium):
    code, out, err = omium("--search", "spend cap")

    assert code == 0
    assert out.splitlines()[0] == "keys#caps  API keys: Caps"
    assert "spend" in out.splitlines()[1]
    assert err == "Read one: omium docs keys#caps\n"


def test_a_search_for_nothing_that_is_there_says_so(omium):
    code, out, err = omium("--search", "qqqqqq")

    assert (code, out) == (0, "")
    assert "Nothing in the documentation has these words." in err


def test_json_for_scripts(lone_cli):
    pages = lone_cli("docs", "--list", "--json").json
    assert [page["name"] for page in pages] == [page.name for page in Manual.open().pages]
    assert pages[1].keys() == {"name", "title", "group", "about"}

    page = lone_cli("docs", "keys#caps", "--json").json
    assert (page["name"], page["anchor"], page["title"]) == ("keys", "caps", "API keys")
    assert page["text"].startswith("## Caps")
    assert {"level": 2, "text": "Caps", "anchor": "caps"} in page["headings"]

    hits = lone_cli("docs", "--search", "spend cap", "--json").json
    assert hits[0].keys() == {"page", "title", "heading", "anchor", "excerpt", "score"}
    assert lone_cli("docs", "--search", "qqqqqq", "--json").json == []


@pytest.mark.parametrize(
    "arguments", [("keys", "--list"), ("--list", "--search", "x"), ("keys", "--search", "x")]
)
def test_two_things_at_once_are_wrong_use(omium, arguments):
    code, out, err = omium(*arguments)

    assert (code, out) == (2, "")
    assert "one at a time" in err


def test_in_a_terminal_it_is_a_reader_and_q_ends_it(lone_cli):
    terminal = Terminal(lone_cli, "docs", "keys")
    terminal.expect("A key lets a program")
    terminal.expect("API keys · docs/keys.md")
    terminal.type("q")

    assert terminal.end() == 0
    assert "\x1b[?1049l" in terminal.shown  # the screen is given back


@pytest.mark.parametrize("plain", [{"arguments": ("--plain",)}, {"term": "dumb"}])
def test_a_terminal_that_can_only_print_or_a_person_who_wants_that_gets_markdown(lone_cli, plain):
    lone_cli.environment["TERM"] = plain.get("term", "xterm")
    terminal = Terminal(
        lone_cli, "docs", "keys#caps", *plain.get("arguments", ()), term=plain.get("term", "xterm")
    )
    terminal.expect("## Caps")

    assert terminal.end() == 0
    assert "\x1b" not in terminal.shown


def test_a_pipe_loads_neither_the_dashboard_nor_a_client():
    code = (
        "import sys; from omium.cli.main import run; run(['docs', 'keys', '--json']);"
        "print([name for name in ('textual', 'rich', 'httpx', 'omium.sdk') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.splitlines()[-1] == "[]"
