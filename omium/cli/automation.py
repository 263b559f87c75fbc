"""What the commands of schedules and triggers share: finding one by its name, and showing its times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from omium.cli.cells import state
from omium.cli.context import Common
from omium.cli.ending import WrongUse
from omium.cli.table import Column
from omium.words import zoned_time

if TYPE_CHECKING:
    from omium.models.schedules import Fire


_ID_CHARACTERS: Final = 29  # `omium.ids` is slow to load for a look at a length


class Named(Protocol):
    """A schedule or a trigger."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102


def find_named(given: str, prefix: str, listed: Iterable[Named], noun: str) -> str:
    """Return the id that is meant by an id or a name; raises `WrongUse`."""
    if given.startswith(f"{prefix}_") and len(given) == _ID_CHARACTERS:
        return given
    found = [each.id for each in listed if each.name == given]
    if len(found) == 1:
        return found[0]
    if found:
        raise WrongUse(f"There are {len(found)} {noun}s named {given}; take an id: {', '.join(found)}.")
    raise WrongUse(f"There is no {noun} {given!r}; see `omium {noun}s list`.")


def show_fires(common: Common, fires: Sequence[Fire], *, empty: str) -> None:
    """Print what became of each time."""
    common.output.table(
        [
            Column("DUE", lambda f: zoned_time(f.due_at_us)),
            Column("OUTCOME", lambda f: state(f.outcome)),
            Column("EXECUTION", lambda f: f.execution_id or "-", give="id"),
            Column("WHY", _why, give="fold"),
        ],
        fires,
        empty=empty,
    )


def _why(fire: Fire) -> str:
    return ": ".join(filter(None, (fire.code, fire.detail))) or "-"
