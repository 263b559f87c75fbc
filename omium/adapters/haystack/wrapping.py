"""Wrapping: a copy of a pipeline in which each run of a component is a step.

Owns the one place where Haystack runs a component. Which component runs next, loops, joins and waiting stay
Haystack's own: a resumed pipeline schedules again and is given what was recorded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.core.errors import BreakpointException, PipelineRuntimeError

from omium.adapters.haystack.agents import record_agent
from omium.adapters.haystack.naming import find_ids
from omium.adapters.haystack.usage import record_component_usage
from omium.adapters.recorded import Form, StepPolicy, record_async, record_sync
from omium.sdk.options import StepOptions

OUTPUTS: Form[Any] = Form(dict)


def wrap_pipeline(pipeline: Pipeline, default: StepPolicy, policies: Mapping[str, StepPolicy]) -> Pipeline:
    """Return a copy of `pipeline` whose components are steps; they themselves are the user's own."""
    made = copy.copy(pipeline)
    kind = type(pipeline)
    components = _Components(kind, pipeline, default, policies)
    made.__class__ = type(
        kind.__name__,
        (kind,),
        {
            "_run_component": staticmethod(components.run),
            "_run_component_async": staticmethod(components.run_async),
            "__module__": kind.__module__,
        },
    )
    return made


class _Failing:
    """An error of a component: policies judge it, and the pipeline raises what Haystack makes of it."""

    def __init__(self) -> None:
        self._told: PipelineRuntimeError | None = None

    def take_cause(self, error: PipelineRuntimeError) -> Exception:
        """Return what the component raised: `retry_on` names that, and a provider's answer is in there."""
        if not isinstance(error.__cause__, Exception):
            raise error
        self._told = error
        return error.__cause__

    @contextmanager
    def told_as_haystack_does(self) -> Iterator[None]:
        """Raise Haystack's own error for that of the last try; what is Omium's goes through."""
        try:
            yield
        except Exception as error:
            if self._told is not None and self._told.__cause__ is error:
                raise self._told from error
            raise


class _Components:
    """How the components of one pipeline are run."""

    def __init__(
        self,
        kind: type[Pipeline],
        pipeline: Pipeline,
        default: StepPolicy,
        policies: Mapping[str, StepPolicy],
    ) -> None:
        self._kind = kind
        self._ids = find_ids(pipeline)
        self._default = default
        self._policies = policies

    def run(
        self,
        component_name: str,
        component: dict[str, Any],
        inputs: dict[str, Any],
        component_visits: dict[str, int],
        parent_span: Any = None,
        **more: Any,
    ) -> Mapping[str, Any]:
        """Return what is recorded of this run of the component, or run it."""
        if (agent := self._find_agent(component_name, component)) is not None:
            return self._kind._run_component(  # type: ignore[no-any-return]  # noqa: SLF001
                component_name, agent, inputs, component_visits, parent_span, **more
            )
        before = component_visits[component_name]
        failing = _Failing()

        def work() -> Any:
            component_visits[component_name] = before  # a policy may try it again
            try:
                outputs = self._kind._run_component(  # noqa: SLF001  # what is wrapped
                    component_name, component, inputs, component_visits,
                    parent_span, **more,
                )  # fmt: skip
            except PipelineRuntimeError as error:
                cause = failing.take_cause(error)
            else:
                record_component_usage(component["instance"], outputs)
                return outputs
            raise cause  # out here it keeps the causes of its own

        passing = (BreakpointException,)
        with failing.told_as_haystack_does():
            outputs = record_sync(self._options(component_name), inputs, work, OUTPUTS, passing=passing)
        component_visits[component_name] = before + 1
        return outputs  # type: ignore[no-any-return]

    async def run_async(
        self,
        component_name: str,
        component: dict[str, Any],
        component_inputs: dict[str, Any],
        component_visits: dict[str, int],
        parent_span: Any = None,
        **more: Any,
    ) -> Mapping[str, Any]:
        """As `run`."""
        if (agent := self._find_agent(component_name, component)) is not None:
            return await self._kind._run_component_async(  # type: ignore[no-any-return]  # noqa: SLF001
                component_name, agent, component_inputs, component_visits, parent_span, **more
            )
        before = component_visits[component_name]
        failing = _Failing()

        async def work() -> Any:
            component_visits[component_name] = before
            try:
                outputs = await self._kind._run_component_async(  # noqa: SLF001  # what is wrapped
                    component_name, component, component_inputs,
                    component_visits, parent_span, **more,
                )  # fmt: skip
            except PipelineRuntimeError as error:
                cause = failing.take_cause(error)
            else:
                record_component_usage(component["instance"], outputs)
                return outputs
            raise cause  # out here it keeps the causes of its own

        passing = (BreakpointException,)
        with failing.told_as_haystack_does():
            outputs = await record_async(
                self._options(component_name), component_inputs, work, OUTPUTS, passing=passing
            )
        component_visits[component_name] = before + 1
        return outputs  # type: ignore[no-any-return]

    def _find_agent(self, name: str, component: dict[str, Any]) -> dict[str, Any] | None:
        """Return a component that is an agent with its turns and tools recorded, None for any other."""
        instance = component["instance"]
        if not isinstance(instance, Agent):
            return None
        made = record_agent(instance, self._ids[name], self._default, self._policies)
        return {**component, "instance": made}

    def _options(self, name: str) -> StepOptions:
        node = self._ids[name]
        return self._policies.get(node, self._default).options(node)
