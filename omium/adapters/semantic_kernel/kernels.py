"""Kernels: a copy of a kernel whose functions, models and tool calls are steps.

Owns the two filters that stand around functions. What a model calls is recorded with what the model is told
of it, an error included, so that a resume tells it the same; what code calls is a step by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.filters import FilterTypes

from omium.adapters.circling import CIRCLING
from omium.adapters.recorded import Form, StepPolicy, record_async
from omium.adapters.semantic_kernel.contents import dump_result, load_result
from omium.adapters.semantic_kernel.services import record_service
from omium.sdk.current import capture_failure

_called_by_model: ContextVar[bool] = ContextVar("omium_called_by_model", default=False)
IS_STEP: ContextVar[bool] = ContextVar("omium_is_step", default=False)
"""Whether the function that is called next is recorded already, with more than what it gives."""


def record_kernel(
    kernel: Kernel,
    node: str,
    default: StepPolicy,
    policies: Mapping[str, StepPolicy],
    circling: int | None = CIRCLING,
) -> Kernel:
    """Return a copy of `kernel` whose models and functions are steps that begin with `node`."""
    made = kernel.clone()
    policy = policies.get(node, default)
    made.services = {
        id_: record_service(service, policy.options(node), circling)
        if isinstance(service, ChatCompletionClientBase)
        else service
        for id_, service in kernel.services.items()
    }
    functions = _Functions(node, policies)
    made.add_filter(FilterTypes.AUTO_FUNCTION_INVOCATION, functions.call_of_model)
    made.add_filter(FilterTypes.FUNCTION_INVOCATION, functions.call_of_code)
    return made


class _Functions:
    """The filters of one kernel."""

    def __init__(self, node: str, policies: Mapping[str, StepPolicy]) -> None:
        self._node = node
        self._policies = policies

    async def call_of_model(self, context: Any, next: Callable[[Any], Awaitable[None]]) -> None:  # noqa: A002
        """Record what a model is told of a function that it called."""
        call = context.function_call_content
        shown = {"arguments": dict(context.arguments), "call": None if call is None else call.id}

        async def work() -> Any:
            token = _called_by_model.set(True)
            try:
                await next(context)
            finally:
                _called_by_model.reset(token)
            return {"result": dump_result(context.function_result), "terminate": context.terminate}

        recorded = await record_async(self._options(context), shown, work, Form())
        context.function_result = load_result(recorded["result"], context.function.metadata)
        context.terminate = recorded["terminate"]

    async def call_of_code(self, context: Any, next: Callable[[Any], Awaitable[None]]) -> None:  # noqa: A002
        """Record what a function gives; within a call of a model's, only notice that it failed."""
        if _called_by_model.get():
            token = _called_by_model.set(False)  # what the function itself calls are steps of their own
            try:
                await next(context)
            except Exception as error:
                capture_failure(error)  # Semantic Kernel tells the model, and the run goes on
                raise
            finally:
                _called_by_model.reset(token)
            return
        if IS_STEP.get():
            token = IS_STEP.set(False)  # as above
            try:
                await next(context)
            finally:
                IS_STEP.reset(token)
            return
        if context.is_streaming:
            await next(context)
            return

        async def work() -> Any:
            await next(context)
            return context.result

        form: Form[Any] = Form(dump_result, lambda recorded: load_result(recorded, context.function.metadata))
        context.result = await record_async(
            self._options(context), {"arguments": dict(context.arguments)}, work, form
        )

    def _options(self, context: Any) -> Any:
        key = f"{self._node}.{context.function.fully_qualified_name}"
        return self._policies.get(key, StepPolicy()).options(key)
