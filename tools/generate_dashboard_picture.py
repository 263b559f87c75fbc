"""The picture of the dashboard in README.md: its page of failures, on orders that really failed.

    python tools/generate_dashboard_picture.py          writes docs/dashboard.svg

Starts a server, lets some work fail on it, and draws what the dashboard shows at 120x36. Times and ids are
others each time: tests/tui/test_picture.py compares the words without them.
"""

from __future__ import annotations

import asyncio
import html
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "dashboard.svg"
SIZE = (120, 36)
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_TEXT = re.compile(r"<text [^>]*>(.*?)</text>")
_TIME = re.compile(r"just now|\d+ (us|ms|s|min|h|d)( ago)?\b")
_ID = re.compile(r"\b[a-z]{2}_[0-9a-z…]+")


async def draw(folder: Path) -> str:
    """Return the picture; `folder` takes the server and the code that fails on it."""
    sys.path.insert(0, str(ROOT))
    from tests.tui.driving import open_dashboard  # noqa: PLC0415 -- found once the path is set
    from tests.tui.shop import Shop  # noqa: PLC0415

    shop = Shop(folder)
    try:
        shop.run("report", "mon", "tue", "wed", "thu")
        shop.run("divide", 0, 0, 0)
        shop.run("sale", "ann")
        async with open_dashboard(shop.server, size=SIZE, start="failures") as driver:
            await driver.until(" Next ")
            await driver.settle()
            picture = str(driver.app.export_screenshot(title="omium tui"))
    finally:
        shop.close()
    return _FONT_FACE.sub("", picture)  # whoever looks at it fetches no font from anywhere


def words_of(picture: str) -> list[str]:
    """Return what stands in a picture, without times and ids and without the room between words."""
    text = html.unescape(" ".join(_TEXT.findall(picture))).replace("\xa0", " ")
    return _ID.sub("<id>", _TIME.sub("<time>", " ".join(text.split()))).split()


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(asyncio.run(draw(Path(folder))))


if __name__ == "__main__":
    main()
