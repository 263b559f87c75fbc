"""What is wrong with a spec, in words: where, what, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from omium.jsonvalue import JsonValue

SHOWN_CHARACTERS_MAX: Final = 80
COMPARED_MAX: Final = 50
"""Names that a misspelled one is compared with: a document may have thousands of each."""

CODES: Final[Mapping[str, str]] = {
    "bad-condition": "A condition has neither or both of `expr` and `ref`.",
    "bad-decision": "A decision has no edges, two defaults, or an edge without condition that is no default.",
    "bad-expression": "A condition is not accepted: its syntax, a function, or what it reads.",
    "bad-name": "A name of a node, agent or loop with other characters than letters, digits, `_` and `-`.",
    "bad-reference": "A `$from` cannot be read, or something stands beside it.",
    "bad-schema": "A JSON Schema cannot be used: not valid, reaching outside of itself, or too intricate.",
    "bad-secret": "A `$secret` has no proper name.",
    "context-cycle": "Nodes would wait for each other through a context edge.",
    "duplicate-edge": "Two edges say the same.",
    "duplicate-id": "Two nodes or two edges have one id.",
    "exit-beside-back-edge": "Warning: an edge leaves a loop that may go round at the same time.",
    "irreducible-cycle": "A loop is entered at more than one node.",
    "limit-exceeded": "Something is larger, longer or deeper than allowed.",
    "may-be-missing": "Warning: a reference without a default names what may not be there.",
    "misplaced-field": "A field that this type of node or edge does not have.",
    "misplaced-secret": "A `$secret` outside of the headers of a tool's HTTP request.",
    "missing-field": "A field that is needed is not there.",
    "missing-input": "A tool or a map's body requires an input that the node does not give.",
    "native-only": "A field for workflows that a framework runs, in one that the engine runs.",
    "no-default": "Warning: a decision fails if none of its conditions is true.",
    "no-start": "A control edge enters every node.",
    "not-json": "The document holds what JSON has no form for.",
    "nothing-to-compensate": "`compensate` without `effect`: a warning.",
    "secret-found": "Something looks like a key, a password or a token.",
    "tool-not-served": "Warning: an agent whose task the server does has a tool that only a worker can call.",
    "type-mismatch": "A value or a reference is of another type than its schema asks for.",
    "undeclared-input": "An input that no schema declares: a warning, or a problem if others are forbidden.",
    "unknown-agent": "No agent of that name.",
    "unknown-breaker": "No breaker of that name.",
    "unknown-field": "A field that does not exist; names that begin with `x-` are kept.",
    "unknown-format": "Another version of the format.",
    "unknown-input": "A reference to an input that the schema does not have.",
    "unknown-loop": "Limits for a loop, and no loop begins at that node.",
    "unknown-node": "An edge, a reference or a condition names a node that is not here.",
    "unknown-node-type": "A node's type does not exist.",
    "unknown-output": "A reference to a part of an output that its schema does not have.",
    "unknown-reference": "A reference begins or goes on with a word that means nothing there.",
    "unknown-template-name": "A template asks for a `{name}` that nobody gives.",
    "unknown-tool": "No tool of that name.",
    "unknown-workflow": "Warning: the workflow or version that a subworkflow names is not stored yet.",
    "unreachable-node": "No control edges lead from a start to the node.",
    "unreadable-reference": "A reference to a node that need not have ended by then.",
    "wrong-type": "A value of another JSON type.",
    "wrong-value": "A value that is not one of those allowed, or out of its range.",
}
"""Every code of a problem or a warning."""


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One reason why a spec is not accepted, or a warning."""

    pointer: str
    """JSON pointer (RFC 6901) to the place; empty for the whole document."""
    detail: str
    """A sentence."""
    suggestion: str
    """What to do about it; may be empty."""
    code: str
    """One of `CODES`."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the problem as an answer of the server carries it."""
        return {
            "pointer": self.pointer,
            "detail": self.detail,
            "suggestion": self.suggestion,
            "code": self.code,
        }


Report = Callable[[SpecProblem], None]


def join_pointer(pointer: str, *parts: str | int) -> str:
    """Return `pointer` with `parts` below it."""
    return pointer + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def split_pointer(pointer: str) -> list[str]:
    """Return the parts of a pointer, as they are called in the document."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a sentence with the name that was probably meant, or with what there is, or `otherwise`."""
    names = sorted(known)
    close = find_close(name, names)
    if close is not None:
        return f"Did you mean {close}?"
    if 0 < len(names) <= 12:
        return f"There {'is' if len(names) == 1 else 'are'}: {', '.join(names)}."
    return otherwise


def find_close(name: str, names: Sequence[str]) -> str | None:
    """Return the one of `names` that was probably meant, or None."""
    near = names if len(names) <= COMPARED_MAX else [each for each in names if _may_be_close(each, name)]
    close = difflib.get_close_matches(name[:SHOWN_CHARACTERS_MAX], near[:COMPARED_MAX], n=1, cutoff=0.6)
    return close[0] if close else None


def _may_be_close(one: str, other: str) -> bool:
    """Say whether comparing two names letter by letter is worth its time."""
    return abs(len(one) - len(other)) <= 2 and (one[:2] == other[:2] or one[-2:] == other[-2:])


def shown(value: Any) -> str:
    """Return what a sentence shows of a value."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 3] + "..."
