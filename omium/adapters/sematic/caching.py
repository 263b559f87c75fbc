"""Caching: what a function under `@sematic.func(cache=True)` returned, taken instead of calling it again.

Owns when a value is taken and when it is kept. Within an execution equal calls run once; with a
`cache_namespace` a value is taken from other executions, too, as Sematic's own runners do. Equal calls are
told by cache_keys.py; where values wait for other executions is cache_shelf.py.

What has run to its end in this process is kept for others, nothing else: no failure, and no record that a
resume has found, as the code may have changed since it was made. A value that is taken becomes the record of
its step, so a resume does not ask the cache again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sematic.abstract_future import AbstractFuture, FutureState
from sematic.caching import determine_cache_namespace

from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.cache_keys import get_full_name, make_key
from omium.adapters.sematic.cache_shelf import Kept, Shelf
from omium.adapters.sematic.values import decode_output, encode_output
from omium.errors import Undecodable, Unserialisable
from omium.sdk.context import Frame

CacheNamespace: TypeAlias = str | Callable[[AbstractFuture], str] | None
"""What a pipeline's values are shared under; a function is given the pipeline's future, as in Sematic."""

_UNDER_WAY: Final = {FutureState.RAN, FutureState.RETRYING}
_log = logging.getLogger("omium.sematic")


@dataclass(frozen=True, slots=True)
class Taken:
    """A value that stands for a call, its form as it is recorded, and where it comes from, for people."""

    value: Any
    form: Any
    source: str


class FunctionCache:
    """What one run of a pipeline knows about the calls of its cached functions."""

    def __init__(self, frame: Frame, raw_namespace: CacheNamespace, root: AbstractFuture) -> None:
        self._types = frame.driving.link.types
        self._execution_id = frame.driving.execution_id
        self._namespace = _find_namespace(raw_namespace, root)
        self._shelf = Shelf(frame) if self._namespace is not None else None
        self._keys: dict[str, str | None] = {}  # by Sematic's ids of futures, which are of this process
        self._equal: defaultdict[str, list[AbstractFuture]] = defaultdict(list)
        self._forms: dict[str, Any] = {}
        self._called: set[str] = set()
        self._waits = True

    def must_wait(self, future: AbstractFuture, policy: StepPolicy) -> bool:
        """Say whether an equal call is under way, whose value this one can have."""
        key = self._find_key(future, policy)
        if key is None or not self._waits or future.state is not FutureState.CREATED:
            return False
        return any(each.state in _UNDER_WAY for each in self._equal[key] if each is not future)

    def stop_waiting(self) -> None:
        """Let equal calls run: nothing else can, so one waits for what waits for it."""
        self._waits = False

    def take(self, future: AbstractFuture, policy: StepPolicy) -> Taken | None:
        """Return the value of an equal call that was made before; None where `future` has to be called."""
        key = self._find_key(future, policy)
        if key is None:
            return None
        if key in self._forms:
            found = self._read(future, self._forms[key], "an equal call in this execution")
        else:
            kept = self._shelf.find(key) if self._shelf is not None else None
            found = self._read_kept(future, kept) if kept is not None else None
        if found is None:
            self._called.add(future.id)
        return found

    def keep(self, future: AbstractFuture, place: str) -> None:
        """Keep the value that `future` has now for equal calls."""
        key = self._keys.get(future.id)
        if key is None or key in self._forms:
            return
        try:
            form = encode_output(place, future.value, future.function.output_type)
        except Unserialisable:  # then it is no record either, and whoever records it says so
            return
        self._forms[key] = form
        if self._shelf is not None and future.id in self._called:
            told = {
                "function": get_full_name(future),
                "namespace": self._namespace,
                "execution": self._execution_id,
                "step": place,
            }
            self._shelf.keep(key, form, told)

    def _find_key(self, future: AbstractFuture, policy: StepPolicy) -> str | None:
        """Return the key of a call that may be cached; an effect is to happen, no record means no copy."""
        if future.id not in self._keys:
            may = future.props.cache and policy.record and not policy.effect
            key = make_key(future, self._namespace, self._types) if may else None
            self._keys[future.id] = key
            if key is not None:
                self._equal[key].append(future)
        return self._keys[future.id]

    def _read_kept(self, future: AbstractFuture, kept: Kept) -> Taken | None:
        found = self._read(future, kept.form, f"the execution {kept.execution_id}")
        if found is not None:
            self._forms[str(self._keys[future.id])] = kept.form
        return found

    def _read(self, future: AbstractFuture, form: Any, source: str) -> Taken | None:
        function = future.function
        try:
            value = decode_output(get_full_name(future), form, function.output_type)
            return Taken(function.cast_output(value), form, source)
        except (Undecodable, TypeError) as error:  # such as a class that is not loaded here yet
            _log.warning("What the cache has of %s is not used: %s", get_full_name(future), error)
            return None


def _find_namespace(raw: CacheNamespace, root: AbstractFuture) -> str | None:
    """Return the namespace of a run; None where there is none, or, as in Sematic, its function fails."""
    if raw is None:
        return None
    try:
        return str(determine_cache_namespace(cache_namespace=raw, root_future=root))
    except Exception as error:  # a boundary: the user's function
        _log.warning(
            "The cache namespace of %s cannot be told, so no value is taken from other executions: %s: %s",
            get_full_name(root),
            type(error).__name__,
            error,
        )
        return None
