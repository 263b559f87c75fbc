"""The snippets of the pages on these frameworks, with a scripted model where a reader has a real one."""

import importlib.util

import pytest

from tests.docs.pages import NEEDS, PAGES, WITH_SERVER, page_name, read_blocks
from tests.docs.snippets import run_page
from tests.frameworks.scripted import ask, say

CHARGE = ask(("c1", "charge", {"cents": 1200}))
CHARGE_OF_PLUGIN = ask(("c1", "bank-charge", {"cents": 1200}))
SCRIPTS = {
    "docs/llama-index.md": [],
    "docs/haystack.md": [say("Otters play."), say("Seals play."), say("Seals sing.")],
    "docs/semantic-kernel.md": [CHARGE_OF_PLUGIN, say("Charged."), say("Otters play."), say("They play.")],
    "docs/openai-agents.md": [
        CHARGE,
        say("Charged."),
        say("Otters play."),
        say("Otters."),
        say("They play."),
    ],
}
OURS = [page for page in PAGES if page_name(page) in SCRIPTS]


@pytest.mark.parametrize("page", OURS, ids=page_name)
def test_every_snippet_of_a_page_runs(page, model, tmp_path):
    text = page.read_text()
    if importlib.util.find_spec(NEEDS.search(text)[1]) is None:
        pytest.skip("the framework is not installed here")
    model.script = list(SCRIPTS[page_name(page)])

    run_page(read_blocks(text), tmp_path, with_server=WITH_SERVER in text)

    assert model.script == []
