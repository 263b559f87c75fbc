"""Steps as people name them: `research` for `research:4b114dcf2f28`, `plan` for `plan`, `outer/inner`.

Owns going from a name, or the beginning of a key, to the one step of an execution that is meant. The first of
these that fits anything decides: the whole key, the whole last part of a key, the step's name, the beginning
of a last part, the beginning of a key. Several that fit are an error that lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from omium.cli.ending import WrongUse

if TYPE_CHECKING:
    from omium.models.replay import EffectView
    from omium.sdk.sync_client import Client

_SHOWN: Final = 12


def find_step_key(client: Client, execution_id: str, given: str) -> str:
    """Return the key of the recorded step that `given` means; `WrongUse` if several are meant, or none."""
    names = {step.key: step.name for step in client.each(client.list_steps, execution_id, limit=200)}
    return choose_key(names, given, f"a recorded step of {execution_id}")


def find_effect(client: Client, execution_id: str, given: str) -> EffectView:
    """Return the newest effect of the step that `given` means; `WrongUse` if several are meant, or none."""
    effects = list(client.each(client.list_effects, execution_id, limit=200))
    for effect in effects:
        if effect.effect_key == given:
            return effect
    key = choose_key({each.key: each.name for each in effects}, given, f"an effect of {execution_id}")
    return next(each for each in reversed(effects) if each.key == key)


def fits_step(key: str, given: str) -> bool:
    """Say whether `given` may mean the step `key`, where not all keys are known yet."""
    last = key.rpartition("/")[2]
    return given in (key, last) or last.startswith(given) or key.startswith(given)


def choose_key(names: Mapping[str, str], given: str, what: str) -> str:
    """Return the key among `names` (key to name) that `given` means."""
    last = {key: key.rpartition("/")[2] for key in names}
    fits: Sequence[Callable[[str], bool]] = (
        lambda key: key == given,
        lambda key: last[key] == given,
        lambda key: names[key] == given or last[key].partition(":")[0] == given,
        lambda key: last[key].startswith(given),
        lambda key: key.startswith(given),
    )
    for fit in fits if given else ():
        found = [key for key in names if fit(key)]
        if len(found) == 1:
            return found[0]
        if found:
            raise WrongUse(f"{given!r} fits {len(found)} steps: {_listed(found)}. Give the key of one.")
    if not names:
        raise WrongUse(f"{given!r} is not {what}: there is none.")
    raise WrongUse(f"{given!r} is not {what}; there are: {_listed(list(names))}.")


def _listed(keys: Sequence[str]) -> str:
    left = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {left} more" if left > 0 else "")
