"""Limits: how large a spec and its parts may be, in one place."""

from __future__ import annotations

from typing import Final

DEPTH_MAX: Final = 64
"""Containers inside each other, as everywhere (omium/jsonvalue/limits.py)."""
DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
NODES_MAX: Final = 2_000
"""Of a workflow, bodies of maps included."""
EDGES_MAX: Final = 10_000
AGENTS_MAX: Final = 500
TOOLS_MAX: Final = 500
BODY_DEPTH_MAX: Final = 8
"""Maps inside each other: each takes two segments of a step's path, which has at most 16."""
LOOP_DEPTH_MAX: Final = 16
ITERATIONS_DEFAULT: Final = 25
ITERATIONS_MAX: Final = 100_000
MAP_ITEMS_MAX: Final = 10_000
MAP_CONCURRENCY_MAX: Final = 1_000
ACTIVATIONS_MAX: Final = 100_000
"""Of one execution."""
TIMEOUT_S_MAX: Final = 30 * 86_400.0
WAIT_S_MAX: Final = 366 * 86_400.0
NAME_CHARACTERS_MAX: Final = 200
LABEL_CHARACTERS_MAX: Final = 300
TEXT_CHARACTERS_MAX: Final = 200_000
PROBLEMS_MAX: Final = 200
"""Told at once; a document with more is another kind of document."""
