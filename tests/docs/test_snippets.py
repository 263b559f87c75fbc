"""Every snippet of the documentation runs, and the runner notices one that doesn't."""

import json
import os

import pytest

from tests.docs.pages import LANGUAGES, NEEDS, PAGES, ROOT, WITH_SERVER, page_name, read_blocks
from tests.docs.snippets import SnippetFailed, run_page

RUNNABLE = [
    page
    for page in PAGES
    if any(block.language in ("python", "console") for block in read_blocks(page.read_text()))
    and not NEEDS.search(page.read_text())
]

FROM_NOTHING = [ROOT / "docs" / "quickstart.md"]


@pytest.mark.parametrize("page", RUNNABLE, ids=page_name)
def test_every_snippet_of_a_page_runs(page, tmp_path):
    text = page.read_text()
    run_page(read_blocks(text), tmp_path, with_server=WITH_SERVER in text, from_nothing=page in FROM_NOTHING)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_block_names_a_language_that_the_tests_know(page):
    unknown = [
        (block.line, block.language)
        for block in read_blocks(page.read_text())
        if block.language not in LANGUAGES
    ]

    assert unknown == [], "use python or console (run), or text, json, yaml, toml, ini, sql, css (shown)"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_json_block_is_json(page):
    for block in read_blocks(page.read_text()):
        if block.language == "json":
            json.loads(block.text)


def run(text, folder):
    return run_page(read_blocks(text), folder)


def test_a_python_block_that_raises_fails_its_page(tmp_path):
    with pytest.raises(SnippetFailed, match=r"line 2.*ended with 1(?s:.*)ZeroDivisionError"):
        run("text\n```python\n1 / 0\n```\n", tmp_path)


def test_a_command_that_fails_fails_its_page_and_the_rest_is_not_run(tmp_path):
    with pytest.raises(SnippetFailed, match="line 2: `false`"):
        run("```console\n$ false\n$ touch later\n```\n", tmp_path)

    assert not (tmp_path / "later").exists()


def test_other_output_than_promised_fails(tmp_path):
    with pytest.raises(SnippetFailed, match="and not"):
        run("```console\n$ echo one\ntwo\n```\n", tmp_path)


def test_dots_stand_for_anything(tmp_path):
    text = "```console\n$ printf 'id ex_1 ok\\nmore\\nlast\\n'\nid ... ok\n...\nlast\n```\n"

    assert run(text, tmp_path) == 1


def test_a_promised_failure_is_fine_and_an_unexpected_success_is_not(tmp_path):
    assert run("<!-- exit code: 3 -->\n```console\n$ true\n$ sh -c 'exit 3'\n```\n", tmp_path) == 2
    with pytest.raises(SnippetFailed, match="ended with 0, not 3"):
        run("<!-- exit code: 3 -->\n```console\n$ true\n```\n", tmp_path)


def test_a_named_file_is_there_for_the_next_command(tmp_path):
    text = (
        "<!-- file: hello.py -->\n```python\nprint('hello')\n```\n```console\n$ python hello.py\nhello\n```\n"
    )

    assert run(text, tmp_path) == 1


def test_variables_and_the_folder_last_from_block_to_block(tmp_path):
    first, second = "$ export WHO=me; mkdir x; cd x", "$ echo $WHO $(basename $PWD)\nme x"
    text = f"```console\n{first}\n```\n```console\n{second}\n```\n"

    assert run(text, tmp_path) == 2


def test_a_block_marked_as_not_run_is_not_run_but_must_compile(tmp_path):
    assert run("<!-- not run: no -->\n\n```python\n1 / 0\n```\n", tmp_path) == 0
    with pytest.raises(SyntaxError):
        run("<!-- not run: no -->\n```python\n1 /\n```\n", tmp_path)


SHOWN = "ex_01mcc5rm00ngqz8ctbd9ygs3xh"
REAL = "ex_01m81yztpaf420vpp3pv1tdkv3"


def test_an_id_on_the_page_stands_for_the_one_that_is_printed(tmp_path):
    first = f"$ echo made {REAL}, see {REAL} ; echo again {REAL}\nmade {SHOWN}, see {SHOWN}\nagain {SHOWN}"
    text = f"```console\n{first}\n$ echo {SHOWN} > id\n```\n"

    assert run(text, tmp_path) == 2
    assert (tmp_path / "id").read_text() == f"{REAL}\n"


def test_two_ids_that_should_be_the_same_and_are_not_fail(tmp_path):
    text = f"```console\n$ echo {REAL} {SHOWN}\n{SHOWN} {SHOWN}\n```\n"

    with pytest.raises(SnippetFailed, match="and not"):
        run(text, tmp_path)


def test_a_command_cannot_read_the_commands_after_it(tmp_path):
    assert run("```console\n$ cat\n$ echo two\ntwo\n```\n", tmp_path) == 2


def test_a_command_that_ends_the_shell_fails_its_page(tmp_path):
    with pytest.raises(SnippetFailed, match="ended the shell"):
        run("```console\n$ exit 0\n```\n", tmp_path)


def test_a_server_is_there_for_a_page_that_asks(tmp_path):
    blocks = read_blocks("```console\n$ omium executions list --json\n[]\n```\n")

    assert run_page(blocks, tmp_path, with_server=True) == 1


def test_a_background_job_ends_with_its_page(tmp_path):
    text = "```console\n$ python -c 'import time; time.sleep(600)' & echo $! > pid\n```\n"
    run(text, tmp_path)

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
