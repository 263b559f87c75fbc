"""The snippets of the guide to CrewAI run, with a scripted model where a reader has a real one."""

import pytest

from tests.docs import snippets
from tests.docs.pages import ROOT, WITH_SERVER, read_blocks


@pytest.mark.timeout(600)  # each snippet starts CrewAI, on a machine that may be busy
def test_every_snippet_of_the_guide_runs(model, tmp_path, monkeypatch):
    monkeypatch.setattr(snippets, "TIMEOUT_S", 500)
    text = (ROOT / "docs" / "crewai.md").read_text()

    snippets.run_page(read_blocks(text), tmp_path, with_server=WITH_SERVER in text)

    assert model.calls == 2
