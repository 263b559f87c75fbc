"""README's picture of the dashboard shows what the dashboard shows."""

import importlib.util

from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location("picture", ROOT / "tools" / "generate_dashboard_picture.py")
assert _spec is not None
assert _spec.loader is not None
picture = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(picture)


async def test_the_picture_in_the_readme_is_current_and_fetches_nothing(tmp_path):
    written = picture.PICTURE.read_text()
    words = picture.words_of(written)
    assert {"ConnectionError:", "ZeroDivisionError:", "ValueError:"} <= set(words)
    assert words == picture.words_of(await picture.draw(tmp_path)), (
        "run: python tools/generate_dashboard_picture.py"
    )
    assert "url(http" not in written
    assert "@font-face" not in written
