"""Prompts as they were written: at a kickoff CrewAI puts the inputs into them, in place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

AGENT_TEXTS: Final = ("role", "goal", "backstory")
TASK_TEXTS: Final = ("description", "expected_output")
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")  # as in CrewAI's interpolate_only


def get_text(part: Any, field: str) -> str:
    """Return a text of an agent or a task, with its `{names}`."""
    original = getattr(part, f"_original_{field}", None)
    return str((original if original is not None else getattr(part, field, None)) or "")


def list_texts(task: Any) -> list[str]:
    """Return every text that inputs go into when the task runs: its own and its agent's."""
    texts = [get_text(task, field) for field in TASK_TEXTS]
    texts.append(get_text(task, "output_file"))
    if task.agent is not None:
        texts += [get_text(task.agent, field) for field in AGENT_TEXTS]
    return texts


def list_names(texts: Iterable[str]) -> list[str]:
    """Return the names of inputs that texts ask for, each once, in their order."""
    return list(dict.fromkeys(name for text in texts for name in _PLACE.findall(text)))
