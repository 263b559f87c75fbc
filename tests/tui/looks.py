"""What every page looks like: its text at three sizes, and what in it is faint.

    views = await look_around(gallery, *SIZES, theme="textual-dark")
    views["failures-80x24"].lines         # of the screen, without what is another each time

The text that is wanted is in tests/tui/snapshots, a file for each page and size.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import omium
from tests.tui.driving import Driver, open_dashboard
from tests.tui.gallery import PLACES, Gallery, Place
from tests.tui.pinned import Pinned, still

SNAPSHOTS = Path(__file__).with_name("snapshots")
SIZES = ((120, 40), (80, 24), (200, 60))
RATIO_MIN = 4.5
"""What WCAG 2 asks of text; large text and parts of an interface may have 3."""
STILL_S = 2
_HEAD, _FOOT = 2, 1


@dataclass(frozen=True)
class View:
    """A place at a size: its lines, and the words with too little contrast."""

    lines: list[str]
    faint: list[str]


async def look_around(gallery: Gallery, *sizes: tuple[int, int], theme: str) -> dict[str, View]:
    """Return what each place looks like at each size, by `name_of` it: as stored if it ever does."""
    views: dict[str, View] = {}
    async with open_still(gallery, size=sizes[0]) as driver:
        driver.app.theme = theme
        for place, size in itertools.product(PLACES, sizes):
            await driver.pilot.resize_terminal(*size)
            if place.id_of is not None or size == sizes[0]:  # a page is found as it was left
                await place.go(driver, gallery)
            lines = await rest(driver, place, stored(name_of(place, size)))
            views[name_of(place, size)] = View(lines, sorted({*faint(driver)}))
    return views


async def rest(driver: Driver, place: Place, wanted: list[str]) -> list[str]:
    """Return what is seen once it is `wanted`, or when nothing has changed for `STILL_S`: some comes late."""
    seen: list[str] = []
    while True:
        await driver.settle()
        if (now := screen(driver, place)) != seen:
            seen, since = now, time.monotonic()
        if seen == wanted or time.monotonic() - since > STILL_S:
            return seen
        await driver.pilot.pause(0.05)


def open_still(gallery: Gallery, **chosen) -> AbstractAsyncContextManager[Driver]:
    """Open a dashboard that shows nothing of this machine and of this hour."""
    names = {str(gallery.folder): "/home/ann", str(Path(omium.__file__).parents[1]): "/opt"}
    return open_dashboard(gallery.server, inner=Pinned(names), **chosen)


def name_of(place: Place, size: tuple[int, int]) -> str:
    """Return the name of a view, and of the file that it is stored in."""
    return f"{place.name}-{size[0]}x{size[1]}"


def screen(driver: Driver, place: Place) -> list[str]:
    """Return what is seen; of the documentation only where one is, for its text is stored in docs."""
    lines = list(still(driver.lines))
    return lines if place.name != "docs" else [*lines[:_HEAD], *lines[-_FOOT:]]


def stored(name: str) -> list[str]:
    """Return the lines that are wanted; none if there is no such snapshot yet."""
    path = SNAPSHOTS / f"{name}.txt"
    return path.read_text("utf-8").splitlines() if path.exists() else []


def store(views: dict[str, View]) -> None:
    """Make what is seen what is wanted."""
    SNAPSHOTS.mkdir(exist_ok=True)
    for path in SNAPSHOTS.glob("*.txt"):
        path.unlink()
    for name, view in views.items():
        (SNAPSHOTS / f"{name}.txt").write_text("\n".join(view.lines) + "\n", "utf-8")


def segments(driver: Driver) -> Iterator[tuple[int, str, object]]:
    """Yield each piece with words in it, its line and its style; not lines, bars and scroll bars."""
    for number, strip in enumerate(driver.app.screen._compositor.render_strips()):
        for segment in strip:
            if any(each.isalnum() for each in segment.text):
                yield number, segment.text, segment.style


def faint(driver: Driver) -> Iterator[str]:
    """Yield the words that stand out too little from what is behind them."""
    for number, text, style in segments(driver):
        if (ratio := contrast(style)) < RATIO_MIN:
            yield f"line {number + 1}: {text.strip()!r} in {style}: {ratio:.2f}"


def contrast(style) -> float:
    """Return the ratio of WCAG 2 between a style's two colours: 1 to 21."""
    one, other = sorted((_luminance(style.color), _luminance(style.bgcolor)))
    return (other + 0.05) / (one + 0.05)


def _luminance(colour) -> float:
    channels = (part / 255 for part in colour.get_truecolor())
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
