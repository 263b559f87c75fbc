"""Attributes: which one means what. Several conventions are read; of those that are present the first wins.

OpenTelemetry's gen_ai (current and former names), OpenInference, Traceloop, LangSmith, and CrewAI's own. Pure
lookups; what is kept of a span is put together in reading.py.
"""

from __future__ import annotations

from typing import Final, Literal

from omium.jsonvalue import JsonValue
from omium.server.traces.wire import Attributes

Kind = Literal["", "llm", "embedding", "tool", "agent", "workflow", "retriever", "other"]
"""What a span is; empty: nothing of an agent's, such as an HTTP request."""

MODEL_CALLS: Final = frozenset({"llm", "embedding"})
TOKENS_MAX: Final = 10**8
COST_MICROUSD_MAX: Final = 2**53 - 1

OPERATION: Final = "gen_ai.operation.name"
_KINDS: Final[dict[str, Kind]] = {
    # gen_ai.operation.name
    "chat": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "embeddings": "embedding",
    "retrieval": "retriever",
    "create_agent": "agent",
    "invoke_agent": "agent",
    "execute_tool": "tool",
    "invoke_workflow": "workflow",
    "execute_task": "workflow",
    # openinference.span.kind, traceloop.span.kind, langsmith.span.kind, llm.request.type; in small letters
    "llm": "llm",
    "completion": "llm",
    "embedding": "embedding",
    "tool": "tool",
    "agent": "agent",
    "chain": "workflow",
    "workflow": "workflow",
    "task": "workflow",
    "retriever": "retriever",
    "reranker": "other",
    "guardrail": "other",
    "evaluator": "other",
    "prompt": "other",
    "parser": "other",
    "decision": "other",
    "unknown": "other",
}
_KIND_NAMES: Final = (
    OPERATION,
    "openinference.span.kind",
    "traceloop.span.kind",
    "langsmith.span.kind",
    "llm.request.type",
)
_MARKS: Final = ("gen_ai.system", "gen_ai.provider.name")

MODEL: Final = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
    "llm.response.model_name",
    "llm.request.model_name",
    "embedding.model_name",
)
PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
INPUT_TOKENS: Final = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
OUTPUT_TOKENS: Final = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
TOTAL_TOKENS: Final = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens")
CACHED_TOKENS: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
CACHE_WRITE_TOKENS: Final = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
REASONING_TOKENS: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
COST_USD: Final = ("llm.cost.total",)
RESPONSE_ID: Final = ("gen_ai.response.id",)
TOOL: Final = ("gen_ai.tool.name", "tool.name")
AGENT: Final = ("crewai.agent.role", "gen_ai.agent.name", "agent.name")
NODE: Final = ("langsmith.metadata.langgraph_node", "langgraph.node")
WORKFLOW: Final = ("omium.workflow",)
WORKFLOW_NAMED: Final = ("gen_ai.workflow.name", "traceloop.workflow.name")
WORKFLOW_UNNAMED: Final = "Agent workflow"
"""What the OpenAI Agents SDK calls a workflow that nobody named."""
SERVICE: Final = "service.name"
ERROR_TYPE: Final = ("error.type", "exception.type")
OTHER_ERROR: Final = "_OTHER"
"""What OpenTelemetry's conventions call an error that has no type."""


def kind_of(attributes: Attributes) -> Kind:
    """Return what the span is."""
    for name in _KIND_NAMES:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return _KINDS.get(value.lower(), "other")
    return "llm" if any(name in attributes for name in _MARKS) else ""


def first_text(attributes: Attributes, names: tuple[str, ...]) -> str:
    """Return the first of `names` that holds text, else nothing."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def first_value(attributes: Attributes, names: tuple[str, ...]) -> JsonValue:
    """Return the first of `names` that is there."""
    for name in names:
        if (value := attributes.get(name)) not in (None, ""):
            return value
    return None


def count_of(attributes: Attributes, names: tuple[str, ...], flags: list[str]) -> int | None:
    """Return a number of tokens; one that cannot be is left out and noted in `flags`."""
    value = first_value(attributes, names)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TOKENS_MAX:
        shown = "no number" if isinstance(value, str) else str(value)[:40]  # text may hold anything
        flags.append(f"{names[0].rpartition('.')[2]} is {shown}, not 0 to {TOKENS_MAX:,}")
        return None
    return value


def cost_microusd(attributes: Attributes, flags: list[str]) -> int | None:
    """Return what the call is said to have cost."""
    value = first_value(attributes, COST_USD)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        flags.append("its cost is no number")
        return None
    if not 0 <= value <= COST_MICROUSD_MAX / 1_000_000:  # infinity and what is no number, too
        flags.append(f"its cost is {str(value)[:40]}")
        return None
    return round(value * 1_000_000)
