"""Pages: the files of docs/, in the order of its index.

In a checkout they are read from its docs/, in an installed package from the folder `docs` beside this module
(pyproject.toml puts them there). Whatever is asked for is looked up among the pages that were listed, so no
name leads out of the folder.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from omium.errors import OmiumError
from omium.manual.links import Place, Target, resolve_link
from omium.manual.outline import Heading, Section, plain_text, read_headings, read_sections, strip_comments

INDEX: Final = "index"
NEAREST_MAX: Final = 5
NAME_CHARACTERS_MAX: Final = 100
_HERE: Final = Path(__file__).resolve()
_ROW: Final = re.compile(r"\| \[[^\]]+\]\((?P<name>[a-z0-9-]+)\.md\) \| (?P<about>.+) \|$")
_FILE: Final = re.compile(r"\[(?P<name>[a-z0-9-]+)\.md\](?=\((?P=name)\.md[)#])")
_GROUP: Final = re.compile(r"## +(?P<group>.+)$")


class PageUnknown(OmiumError):
    """There is no such page. `nearest` are the names that look like it, the best first."""

    def __init__(self, name: str, nearest: Iterable[str]) -> None:
        self.nearest = tuple(nearest)
        near = f" The nearest: {', '.join(self.nearest)}." if self.nearest else ""
        super().__init__(f"There is no page {name!r} in the documentation.{near} All: omium docs --list")


@dataclass(frozen=True)
class Page:
    """A page: its name, title and group, what it is for in the index's words, and its Markdown."""

    name: str
    title: str
    group: str
    about: str
    text: str

    @cached_property
    def headings(self) -> tuple[Heading, ...]:
        """Its headings, the title first."""
        return read_headings(self.text)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Its sections; with their headings they are the whole page."""
        return read_sections(self.text, self.headings)

    def find_heading(self, anchor: str) -> Heading | None:
        """Return the heading that `anchor` names."""
        return next((heading for heading in self.headings if heading.anchor == anchor), None)

    def cut_out(self, anchor: str) -> str:
        """Return the Markdown from the heading `anchor` to the next one as high; without it, all."""
        heading = self.find_heading(anchor)
        if heading is None:
            return self.text
        following = (each.line for each in self.headings if each.line > heading.line)
        levels = {each.line: each.level for each in self.headings}
        lines = self.text.splitlines()
        end = next((line for line in following if levels[line] <= heading.level), len(lines))
        return "\n".join(lines[heading.line : end]).strip() + "\n"


class Manual:
    """All pages, in the order of the index; the index itself is the first."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self.pages = tuple(pages)
        self._by_name = {page.name: page for page in self.pages}

    @classmethod
    def open(cls, folder: Path | None = None) -> Manual:
        """Read the pages of this installation, or of `folder`. Raises `OmiumError` if there are none."""
        folder = folder or find_folder()
        texts = {path.stem: strip_comments(path.read_text("utf-8")) for path in sorted(folder.glob("*.md"))}
        if INDEX not in texts:
            raise OmiumError(f"{folder} holds no documentation: its index.md is missing. Reinstall Omium.")
        texts = _name_by_titles(texts)
        index = texts.pop(INDEX)
        pages = [Page(INDEX, _title_of(INDEX, index), "", "what there is to read", index)]
        group = ""
        for line in index.splitlines():
            if found := _GROUP.match(line):
                group = found["group"]
            elif (row := _ROW.match(line)) and row["name"] in texts:
                name, text = row["name"], texts.pop(row["name"])
                pages.append(Page(name, _title_of(name, text), group, plain_text(row["about"]), text))
        pages += [Page(name, _title_of(name, text), "", "", text) for name, text in texts.items()]
        return cls(pages)

    def find_page(self, name: str) -> Page | None:
        """Return the page of that name."""
        return self._by_name.get(name)

    def get_page(self, name: str) -> Page:
        """Return the page of that name. Raises `PageUnknown`."""
        page = self._by_name.get(name)
        if page is None:
            raise PageUnknown(name, self.list_nearest(name))
        return page

    def get_place(self, asked: str) -> Place:
        """Return the place that a person names: `keys`, `keys.md`, `docs/keys.md#scopes`, `lease-lost`.

        What is no page's name is looked for among titles, then among the headings of all pages: error codes
        and commands have headings of their own. Raises `PageUnknown`.
        """
        path, _, anchor = asked.strip().partition("#")
        name = path.removeprefix("docs/").removesuffix(".md").strip("/") or INDEX
        for each in (name, name.lower()):
            if each in self._by_name:
                return Place(each, anchor)
        by_title = next((page.name for page in self.pages if page.title.lower() == name.lower()), None)
        if by_title is not None:
            return Place(by_title, anchor)
        for wanted in (name.lower(), f"omium {name.lower()}"):
            for page in self.pages:
                for heading in page.headings:
                    if wanted in (heading.anchor, heading.text.lower()):
                        return Place(page.name, heading.anchor)
        raise PageUnknown(asked, self.list_nearest(name))

    def list_nearest(self, name: str) -> list[str]:
        """Return what `name` may have been meant for, the best first: pages, or else headings of pages."""
        wanted = name.lower()
        if len(wanted) > NAME_CHARACTERS_MAX:
            return []
        within = [page.name for page in self.pages if wanted and wanted in page.name]
        names = {page.title.lower(): page.name for page in self.pages} | {
            each: each for each in self._by_name
        }
        alike = difflib.get_close_matches(wanted, names, n=NEAREST_MAX, cutoff=0.6)
        if near := list(dict.fromkeys([*within, *(names[each] for each in alike)])):
            return near[:NEAREST_MAX]
        headings = {
            heading.anchor: str(Place(page.name, heading.anchor))
            for page in self.pages
            for heading in page.headings
        }
        alike = difflib.get_close_matches(wanted, headings, n=NEAREST_MAX, cutoff=0.7)
        return [headings[each] for each in alike]

    def resolve_link(self, page: str, link: str) -> Target:
        """Return where `link`, as it stands on the page named `page`, leads."""
        return resolve_link(self._by_name, page, link)

    def list_groups(self) -> list[tuple[str, list[Page]]]:
        """Return the pages by the index's groups, in its order; the index stands in none."""
        groups: dict[str, list[Page]] = {}
        for page in self.pages:
            if page.name != INDEX:
                groups.setdefault(page.group, []).append(page)
        return list(groups.items())


def find_folder() -> Path:
    """Return where the pages of this installation are."""
    carried = _HERE.parent / "docs"
    return carried if carried.is_dir() else _HERE.parents[2] / "docs"


def _name_by_titles(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the pages with links that show a page's file (`[keys.md](keys.md)`) showing its title."""
    titles = {name: _title_of(name, text) for name, text in texts.items()}
    return {
        name: _FILE.sub(lambda found: f"[{titles.get(found['name'], found['name'])}]", text)
        for name, text in texts.items()
    }


def _title_of(name: str, text: str) -> str:
    first = next((line for line in text.splitlines() if line.startswith("# ")), f"# {name}")
    return plain_text(first.removeprefix("# "))
