"""The guide's snippets and the example, where Sematic is."""

from tests.docs.pages import ROOT, WITH_SERVER, read_blocks
from tests.docs.snippets import run_page

PAGE = ROOT / "docs" / "sematic.md"
EXAMPLE = ROOT / "examples" / "sematic" / "word_counts.py"


def test_every_snippet_of_the_guide_runs(tmp_path):
    text = PAGE.read_text()

    # From nothing: in a Python that was forked, Sematic does not know its own types.
    run_page(read_blocks(text), tmp_path, with_server=WITH_SERVER in text, from_nothing=True)


def test_the_example_runs_as_its_first_lines_say(server):
    code, out, err = server.run(EXAMPLE, "otters", "otters", "cats")

    assert (code, out) == (0, "1 cats, 2 otters\n"), err
    keys = {step["key"] for step in server.newest()["steps"]}
    assert keys == {"list_words", "count_all", "count_all/count", "count_all/count-2", "write"}
