"""Machine: Sematic's own loop over a pipeline, with each function a step of the current execution.

Owns what Sematic's states mean for steps. Which function comes when, retries that let others go first, lists
of futures and nested pipelines stay Sematic's own. The pipeline's own function is the execution itself and no
step: on resume its body is called again, to find what it calls. Signals are left to the process. Which values
need no call, as an equal one was made before, is caching.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from sematic.abstract_future import AbstractFuture, FutureState
from sematic.runners.silent_runner import SilentRunner

from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.caching import CacheNamespace, FunctionCache
from omium.adapters.sematic.context import in_function
from omium.adapters.sematic.naming import is_helper, join_path, name_level
from omium.adapters.sematic.policies import NO_POLICY, make_options
from omium.adapters.sematic.steps import Again, FunctionStep, Recorded, call_bounded, unwrap
from omium.errors import OmiumError
from omium.sdk.context import Frame
from omium.sdk.identity import Scope

Policies = Callable[[str], StepPolicy]


class PipelineMachine(SilentRunner):  # type: ignore[misc]  # Sematic has no types
    """Runs one pipeline inside the current execution; `policies` gives the policy of a node by its id."""

    def __init__(self, frame: Frame, policies: Policies, cache_namespace: CacheNamespace = None) -> None:
        super().__init__()
        self._frame = frame
        self._policies = policies
        self._cache_namespace = cache_namespace
        self._names: dict[str, str] = {}  # the ids below are Sematic's own, of this process
        self._paths: dict[str, str] = {}
        self._frames: dict[str, Frame] = {}
        self._steps: dict[str, FunctionStep] = {}
        self._open: dict[str, FunctionStep] = {}
        self._failures: Counter[str] = Counter()

    def run(self, future: AbstractFuture) -> Any:
        """Return the pipeline's value; raise the error of the function that failed, as it was raised."""
        self._cache = FunctionCache(self._frame, self._cache_namespace, future)
        try:
            return super().run(future)
        except BaseException as error:
            for step in reversed(self._open.values()):
                step.leave(error)
            raise

    def _register_signal_handlers(self) -> None:
        """Leave signals to the process: an interrupted run is not cancelled, it goes on later."""

    def _can_schedule_future(self, future: AbstractFuture) -> bool:
        return not self._cache.must_wait(future, self._find_policy(future))

    def _wait_for_scheduled_runs_with_timeout(self) -> None:
        """Go on: Sematic's loop comes here where nothing has happened in a turn of it."""
        self._cache.stop_waiting()

    def _run_inline(self, future: AbstractFuture) -> None:
        self._set_future_state(future, FutureState.SCHEDULED)
        try:
            if future is self._root_future or is_helper(future):
                self._run_unrecorded(future)
            else:
                self._run_step(future)
        except BaseException:
            if not future.state.is_terminal():
                self._fail_future_and_parents(future)
            raise

    def _run_step(self, future: AbstractFuture) -> None:
        step = self._steps.get(future.id)
        if step is None:
            parent, policy = future.parent_future, self._find_policy(future)
            assert parent is not None, "only the pipeline itself has none"
            step = FunctionStep(self._frames[parent.id], self._names[future.id], future, policy)
            self._steps[future.id] = step
            if (recorded := step.find_record()) is not None:
                self._resolve(future, recorded.value)
                return
            if (taken := self._cache.take(future, policy)) is not None:
                step.take(taken.form, taken.source)
                self._resolve(future, taken.value)
                return
        created: list[AbstractFuture] = []
        outcome = step.run(lambda: self._call(future, created))
        if isinstance(outcome, Again):
            self._set_future_state(future, FutureState.RETRYING)
        elif isinstance(outcome, Recorded):
            self._resolve(future, outcome.value)
        elif isinstance(outcome, AbstractFuture):
            step.return_slot()
            self._open[future.id] = step
            self._nest(future, outcome, created, step.frame)
        else:
            step.succeed(outcome)
            self._resolve(future, outcome)

    def _run_unrecorded(self, future: AbstractFuture) -> None:
        """Call what is no step: the pipeline's own function, and what puts lists together."""
        policy = self._find_policy(future)
        if not self._failures[future.id] and (taken := self._cache.take(future, policy)) is not None:
            self._resolve(future, taken.value)
            return
        # A frame for each call: a timeout closes it, and the next try is to count.
        scope = Scope(self._frame.scope.path, self._frame.scope.depth)
        frame = Frame(self._frame.driving, scope, parent=self._frame)
        created: list[AbstractFuture] = []
        options = make_options(future, policy)
        try:
            outcome = call_bounded(lambda: self._call(future, created), frame, future, options.timeout_s)
        except Exception as error:
            failure = unwrap(error)
        else:
            if isinstance(outcome, AbstractFuture):
                self._nest(future, outcome, created, frame)
            else:
                self._resolve(future, outcome)
            return
        self._failures[future.id] += 1
        delay_s = options.retry.delay_s(self._failures[future.id], failure)
        if isinstance(failure, OmiumError) or delay_s is None:
            raise failure
        self._set_future_state(future, FutureState.RETRYING)

    def _call(self, future: AbstractFuture, created: list[AbstractFuture]) -> Any:
        """Return what the function returns, as its output type has it: a value, or a future."""
        with in_function(future.id, self._root_future.id, self.classpath()) as made:
            try:
                value = future.function.execute(**future.resolved_kwargs)
            finally:
                created += made
        return future.function.cast_output(value)

    def _nest(
        self, future: AbstractFuture, result: AbstractFuture, created: list[AbstractFuture], frame: Frame
    ) -> None:
        self._frames[future.id] = frame
        self._names |= name_level(result, created)
        self._set_nested_future(future, result)
        self._set_future_state(future, FutureState.RAN)

    def _resolve(self, future: AbstractFuture, value: Any) -> None:
        future.value = value
        self._set_future_state(future, FutureState.RESOLVED)

    def _future_did_resolve(self, future: AbstractFuture) -> None:
        """Record a function that called others, now that their last value is there; keep what is cached."""
        step = self._open.pop(future.id, None)
        if step is not None:
            step.succeed(future.value)
        self._cache.keep(future, self._find_place(future))

    def _find_place(self, future: AbstractFuture) -> str:
        """Return where the function stands in the pipeline, whose own place is empty."""
        parent = future.parent_future
        if parent is None or is_helper(future):
            return ""
        if future.id not in self._paths:
            self._paths[future.id] = join_path(self._find_place(parent), self._names[future.id])
        return self._paths[future.id]

    def _find_policy(self, future: AbstractFuture) -> StepPolicy:
        return NO_POLICY if is_helper(future) else self._policies(self._find_place(future))
