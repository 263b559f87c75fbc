"""What a node's `parameters` may say, one type for each node type.

A node keeps its parameters as they stand in the document, because runners are handed them like that; these
types judge them when a spec is saved, and give the published schema its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from omium.spec.document import Handler, Json, Key, Llm, NodeType, Part, Ref, Text
from omium.spec.limits import MAP_CONCURRENCY_MAX, WAIT_S_MAX

Template = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]
Expiry = Annotated[float, Field(gt=0, le=WAIT_S_MAX)]


class AgentTask(Part):
    """A task for the node's agent: with tools and several turns of its model, or by a handler on a worker."""

    description: Template
    """What to do; `{name}` stands for the input of that name."""
    expected_output: Text = ""
    """What the answer should look like; a template, too."""
    handler: Handler | None = None
    """A worker's handler that does it; default: the server, with the agent's `llm`."""
    max_turns: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Calls of the model, at most; default: the agent's."""
    human_input: bool = False
    """Native mode only."""
    async_execution: bool = False
    """Native mode only."""
    guardrails: Annotated[tuple[Ref, ...], Field(strict=False, max_length=100)] = ()
    """Native mode only."""


class Message(Part):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Template


class LlmCall(Part):
    """One call of a model: a prompt or a conversation."""

    prompt: Template | None = None
    """`{name}` stands for the input of that name."""
    system: Text = ""
    messages: Annotated[tuple[Message, ...], Field(strict=False, max_length=1_000)] = ()
    """Instead of `prompt`."""
    llm: Llm | None = None
    """Default: that of the node's agent."""


class FunctionCall(Part):
    """A function on a worker."""

    handler: Handler | None = None
    """The name under which a worker registered it; required in engine mode."""


class ToolCall(Part):
    """One call of the node's tool; its arguments are the node's `inputs`."""


class Decision(Part):
    """A choice: the first edge whose `when` is true, else the one that is `default`."""


class Approval(Part):
    """Waits until a person decides."""

    message: Text = ""
    """What people are asked; a template."""
    expires_s: Expiry | None = None
    default: Literal["approved", "rejected"] | None = None
    """The decision when it expires; without one the node fails."""


class Wait(Part):
    """Waits for a time or a signal: one of `seconds`, `until` and `signal`."""

    seconds: Json = None
    """A number or a reference."""
    until: Json = None
    """A time such as "2027-01-31T12:00:00Z", or a reference."""
    signal: Key | None = None
    timeout_s: Expiry | None = None
    """Of a signal: the node fails when none has come by then."""


class MapItems(Part):
    """Does the node's `body` with each item of a list."""

    items: Json
    """A list, or a reference to one."""
    concurrency: Annotated[int, Field(ge=1, le=MAP_CONCURRENCY_MAX)] = 8
    """Items at a time."""
    on_item_failure: Literal["fail_fast", "collect"] = "fail_fast"
    """`collect`: an item that fails stands as {"error": ...} in the output."""


class Subworkflow(Part):
    """Runs the node's `workflow` with the node's `inputs`; its outputs are the node's."""


PARAMETERS: Final[Mapping[NodeType, type[Part]]] = {
    "agent_task": AgentTask,
    "tool_call": ToolCall,
    "llm_call": LlmCall,
    "function": FunctionCall,
    "decision": Decision,
    "approval": Approval,
    "wait": Wait,
    "map": MapItems,
    "subworkflow": Subworkflow,
}
