"""check_spec: every reason why a document is not a workflow spec, at once.

Owns the order of the checks and what they share: shape first (shape.py), then what the parts say together.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.errors import SpecInvalid
from omium.jsonvalue import JsonValue
from omium.spec.compile import compile_body
from omium.spec.document import Spec
from omium.spec.problems import SpecProblem
from omium.spec.shape import find_unreadable, read_shape


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check_spec` found; `spec` is None if and only if there are problems."""

    spec: Spec | None
    problems: tuple[SpecProblem, ...]
    warnings: tuple[SpecProblem, ...]


def check_spec(document: JsonValue) -> Checked:
    """Return the spec that `document` is, or each of its problems; never raises on JSON."""
    unreadable = find_unreadable(document)
    if unreadable is not None:
        return Checked(None, (unreadable,), ())
    spec, problems = read_shape(document)
    if spec is not None and spec.runtime.mode == "engine":
        compile_body(spec, "", problems.append)
    return Checked(None if problems else spec, tuple(problems), ())


def load_spec(document: JsonValue) -> Spec:
    """Return the spec that `document` is; raises `SpecInvalid` with every problem."""
    checked = check_spec(document)
    if checked.spec is None:
        count = len(checked.problems)
        raise SpecInvalid(
            f"{checked.problems[0].detail}" + (f" And {count - 1} more." if count > 1 else ""),
            errors=[problem.to_json() for problem in checked.problems],
        )
    return checked.spec
