"""The documentation inside: the pages of docs/, read where Omium runs, without a network.

One model for three readers: `omium docs` prints and shows it, the dashboard has it as a page, the server
gives it out as HTML. Knows Markdown's headings, links and blocks of code, and nothing of how they look.

    pages.py     which pages there are, in the order of docs/index.md; one by its name
    outline.py   headings, anchors and sections of one page
    links.py     where a link on a page leads
    searching.py words to places, the best first
"""

from __future__ import annotations

from omium.manual.links import Address, Elsewhere, Place, Target
from omium.manual.outline import Heading, Section
from omium.manual.pages import Manual, Page, PageUnknown
from omium.manual.searching import Hit, search

__all__ = [
    "Address",
    "Elsewhere",
    "Heading",
    "Hit",
    "Manual",
    "Page",
    "PageUnknown",
    "Place",
    "Section",
    "Target",
    "search",
]
