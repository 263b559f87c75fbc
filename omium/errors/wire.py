"""Problems as they travel: every class by its code, and back from what a server sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from omium.errors.problems import InternalError
from omium.errors.tree import Member, Problem


def _all_problems(root: type[Problem]) -> dict[str, type[Problem]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_all_problems(child))
    return found


def problem_classes() -> dict[str, type[Problem]]:
    """Return every problem class by its code."""
    return {**_all_problems(Problem), InternalError.code: InternalError}


_ENVELOPE = frozenset({"type", "code", "status", "title", "detail", "retryable"})


def from_problem(body: Mapping[str, object], status: int) -> Problem:
    """Return the problem that `body` (a parsed `application/problem+json`) describes.

    A code that this version does not know becomes an `UnknownProblem` that keeps the server's own code.
    """
    code = str(body.get("code") or "")
    detail = str(body.get("detail") or body.get("title") or f"The server answered {status}.")
    members = {name: value for name, value in body.items() if name not in _ENVELOPE}
    known = problem_classes().get(code)
    if known is None:
        return UnknownProblem(
            detail, code=code, status=status, retryable=bool(body.get("retryable")), members=members
        )
    problem = known(detail)
    problem.members = cast("dict[str, Member]", members)  # from the wire: any JSON value
    return problem


class UnknownProblem(Problem):
    """A problem whose code this version does not know: the server is newer, or something else answered."""

    code, status, title = "unknown-problem", 500, "The server answered with an error that is not known here"

    def __init__(
        self, detail: str, *, code: str, status: int, retryable: bool, members: Mapping[str, object]
    ) -> None:
        super().__init__(detail)
        self.server_code = code
        self.server_status = status
        self.server_retryable = retryable
        self.members = cast("dict[str, Member]", dict(members))  # from the wire: any JSON value
