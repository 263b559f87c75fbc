"""Bounds of a bundle: what is never written, so that whoever opens one never has to read more.

The writer keeps to them, and the reader refuses what is beyond: a file made to fill memory or a disk is told
from a bundle before anything of it is unpacked.
"""

from __future__ import annotations

from typing import Final

MIB: Final = 2**20

FILE_BYTES_MAX: Final = 256 * MIB
UNPACKED_BYTES_MAX: Final = 2_048 * MIB
"""Of all parts together. No two are unpacked at once."""
PART_BYTES_MAX: Final = 24 * MIB
"""Of one part; the longest is an execution with an input and an output of 8 MiB each."""
LIST_BYTES_MAX: Final = 8 * MIB
"""Of one part of a list: what it takes to read it as JSON is many times as much."""
MANIFEST_BYTES_MAX: Final = 16 * MIB
PARTS_MAX: Final = 60_000
"""Below what needs the 64-bit form of zip, which is refused."""
RATIO_MAX: Final = 1_100
"""DEFLATE packs at most 1,032 : 1, so more is a lie about a size."""
NAME_CHARACTERS_MAX: Final = 100

LIST_ITEMS_MAX: Final = 200
"""How many items of a list one part holds."""
LIST_BYTES_FULL: Final = 2 * MIB
"""A part of a list that has reached this takes no further item."""
EXECUTIONS_MAX: Final = 1_000
"""How many executions one bundle holds whole."""
RELATED_MAX: Final = 1_000
"""How many children, and how many replays, of one execution are listed."""
OCCURRENCES_MAX: Final = 1_000
"""How many of a failure's occurrences, the newest first."""
RESERVED_BYTES: Final = 24 * MIB
"""Of the file: kept free from values for what comes last."""
