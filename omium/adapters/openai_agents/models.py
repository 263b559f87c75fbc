"""Models: one turn of an agent's model as a step, with its tokens.

Owns the model that stands for the user's: it asks only where nothing is recorded. What is recorded is the
answer, not the request: messages are shown as the step's input, headers and further body fields never.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from agents import Model, ModelProvider, ModelResponse, ModelSettings
from agents.items import TResponseOutputItem
from agents.models.multi_provider import MultiProvider
from agents.usage import deserialize_usage, serialize_usage
from pydantic import TypeAdapter

from omium.adapters.circling import CIRCLING, refuse_circles
from omium.adapters.recorded import Form, record_async, shorten_messages
from omium.jsonvalue import JsonValue, plain
from omium.sdk.attempts import StepCall
from omium.sdk.calling import find_active_frame, prepare
from omium.sdk.calls import Call
from omium.sdk.current import record_usage
from omium.sdk.generators import stream_async
from omium.sdk.options import StepOptions

_OUTPUT: TypeAdapter[list[Any]] = TypeAdapter(list[TResponseOutputItem])
_UNTOLD = ("extra_headers", "extra_query", "extra_body", "extra_args", "retry")


class RecordedModel(Model):  # type: ignore[misc]  # the framework is not installed where types are checked
    """The model of one agent: each answer is a step of the current execution."""

    def __init__(
        self,
        given: Model | str | None,
        options: StepOptions,
        provider: ModelProvider | None = None,
        circling: int | None = CIRCLING,
    ) -> None:
        self._given = given
        self._circling = circling
        self._provider = provider
        self._options = options
        self._model: Model | None = given if isinstance(given, Model) else None

    @property
    def inner(self) -> Model:
        """The user's own model; a name is looked up when it is first needed, as the SDK does."""
        if self._model is None:
            self._provider = self._provider or MultiProvider()
            self._model = self._provider.get_model(self._given)
        return self._model

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_given", "_model", "_provider"):  # a half-made copy
            raise AttributeError(name)
        return getattr(self.inner, name)

    def get_retry_advice(self, request: Any) -> Any:
        """As the user's own model says."""
        return self.inner.get_retry_advice(request)

    async def close(self) -> None:
        """Close the user's own model."""
        if self._model is not None:
            await self._model.close()

    async def _cleanup_on_run_end(self, owner: object) -> None:
        if self._model is not None:
            await self._model._cleanup_on_run_end(owner)  # noqa: SLF001  # the runner's own call, handed on

    async def get_response(
        self,
        system_instructions: str | None,
        input: Any,  # noqa: A002  # the SDK's own name
        model_settings: ModelSettings,
        tools: list[Any],
        output_schema: Any,
        handoffs: list[Any],
        tracing: Any,
        **more: Any,
    ) -> ModelResponse:
        """Return the recorded answer, or ask the model and record what it says."""
        asked = (system_instructions, input, model_settings, tools, output_schema, handoffs)

        async def work() -> ModelResponse:
            if find_active_frame() is not None:
                refuse_circles(_list_calls(input), self._circling)
            response = await self.inner.get_response(*asked, tracing, **more)
            self._record_usage(response.usage)
            return response

        return await record_async(self._options, _describe(*asked), work, RESPONSE)

    async def stream_response(
        self,
        system_instructions: str | None,
        input: Any,  # noqa: A002  # the SDK's own name
        model_settings: ModelSettings,
        tools: list[Any],
        output_schema: Any,
        handoffs: list[Any],
        tracing: Any,
        **more: Any,
    ) -> AsyncIterator[Any]:
        """Yield what the model streams; what was recorded to its end is streamed again from the record."""
        asked = (system_instructions, input, model_settings, tools, output_schema, handoffs)

        async def node(**_shown: Any) -> AsyncIterator[Any]:
            if find_active_frame() is not None:
                refuse_circles(_list_calls(input), self._circling)
            async for event in self.inner.stream_response(*asked, tracing, **more):
                usage = getattr(getattr(event, "response", None), "usage", None)
                if event.type == "response.completed" and usage is not None:
                    self._record_usage(usage)
                yield event

        frame = find_active_frame()
        if frame is None:
            async for event in node():
                yield event
            return
        call = Call(node, (), _describe(*asked))
        prepared = prepare(frame, self._options, call)

        def make(invoke: Callable[[Any], object]) -> StepCall:
            return replace(prepared(invoke), judged=_list_responses)

        chunks = stream_async(make, call, frame.driving.link.async_ports)
        async for event in chunks:
            yield event

    def _record_usage(self, usage: Any) -> None:
        """Tell what the model reported; a model that reports nothing is not guessed at."""
        if not usage.input_tokens and not usage.output_tokens:
            return
        inner = self.inner
        model = str(getattr(inner, "model", None) or self._given or "") or None
        record_usage(
            provider=_provider_of(inner, model),
            model=model,
            input_tokens=int(usage.input_tokens or 0),
            output_tokens=int(usage.output_tokens or 0),
            cached_tokens=int(getattr(usage.input_tokens_details, "cached_tokens", 0) or 0),
            cache_write_tokens=int(getattr(usage.input_tokens_details, "cache_write_tokens", 0) or 0),
            reasoning_tokens=int(getattr(usage.output_tokens_details, "reasoning_tokens", 0) or 0),
            calls=int(getattr(usage, "requests", 1) or 1),
        )


def _provider_of(model: Model, name: str | None) -> str | None:
    """Return who is asked: of `anthropic/claude` the first part, else what the model's class is made for."""
    if type(model).__module__.startswith("agents.models.openai"):
        return "openai"
    provider, slash, _ = (name or "").partition("/")
    return provider if slash else None


def _describe(
    instructions: str | None,
    asked: Any,
    settings: Any,
    tools: list[Any],
    output_schema: Any,
    handoffs: list[Any],
) -> dict[str, object]:
    """Return what tells one turn from another, and is shown as the step's input."""
    told = settings.to_json_dict()
    return {
        "instructions": instructions,
        "input": shorten_messages(asked),
        "settings": {
            name: value for name, value in told.items() if value is not None and name not in _UNTOLD
        },
        "tools": [tool.name for tool in tools],
        "handoffs": [handoff.tool_name for handoff in handoffs],
        "output": None if output_schema is None else output_schema.name(),
    }


def _list_calls(asked: Any) -> list[tuple[str, object]]:
    """Return the tool calls since the user spoke last: those of this run."""
    calls: list[tuple[str, object]] = []
    for item in asked if isinstance(asked, list) else ():
        if not isinstance(item, Mapping):
            continue
        if item.get("role") == "user":
            calls.clear()
        elif item.get("type") == "function_call":
            calls.append((str(item.get("name")), item.get("arguments")))
    return calls


def _dump(response: ModelResponse) -> object:
    return {
        "output": _OUTPUT.dump_python(response.output, mode="json", exclude_unset=True),
        "usage": serialize_usage(response.usage),
        "response_id": response.response_id,
        "request_id": getattr(response, "request_id", None),
    }


def _list_responses(chunks: JsonValue) -> list[JsonValue]:
    """Return the answer that a stream has told at its end, in the form of one that was not streamed."""
    told = [plain(each) for each in chunks] if isinstance(chunks, list) else []
    answers = [each["response"] for each in told if isinstance(each, dict) and each.get("response")]
    if not answers or not isinstance(answers[-1], dict):
        return []
    return [
        {
            "output": answers[-1].get("output"),
            "usage": answers[-1].get("usage"),
            "response_id": answers[-1].get("id"),
            "request_id": None,
        }
    ]


def _load(recorded: Mapping[str, Any]) -> ModelResponse:
    return ModelResponse(
        output=_OUTPUT.validate_python(recorded["output"]),
        usage=deserialize_usage(recorded["usage"]),
        response_id=recorded["response_id"],
        request_id=recorded["request_id"],
    )


RESPONSE: Form[ModelResponse] = Form(_dump, _load)
