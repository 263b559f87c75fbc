"""Bundles: one execution in one file, to be opened elsewhere, without its server.

    making.py      write_bundle: from a client to a file       manifest.py   what a bundle says of itself
    collecting.py  what belongs to an execution                limits.py     what is never exceeded
    sources.py     which questions to the API answer that      cleaning.py   no secret leaves the house
    rows.py        lists as parts                              writing.py    the zip, whole or not there
    container.py   a stranger's file, checked part by part     opening.py    open_bundle, and the lists in it
    answers.py     a request's answer out of a bundle          filters.py    what of a list is wanted
    clients.py     the clients that read one

A bundle holds what the API answered, redacted; so the same models, screens and commands show it. The clients
are those of the SDK over another transport: every method is there, and whatever would change something raises
`BundleReadOnly`. Why it is a zip, and why requests are answered and not methods:
docs/decisions/250-bundles-answer-requests.md.
"""

from __future__ import annotations

from omium.bundle.clients import BundleClient, SyncBundleClient
from omium.bundle.collecting import Progress
from omium.bundle.making import WrittenBundle, name_bundle, write_bundle
from omium.bundle.manifest import Manifest
from omium.bundle.opening import Bundle, open_bundle

__all__ = [
    "Bundle",
    "BundleClient",
    "Manifest",
    "Progress",
    "SyncBundleClient",
    "WrittenBundle",
    "name_bundle",
    "open_bundle",
    "write_bundle",
]
