"""The document: what a workflow spec may say, as types that pydantic reads.

    Spec                 a workflow: inputs, outputs, agents, tools, nodes, edges, runtime
    Body                 what a `map` does with each item: a spec inside of a spec
    Node, Edge, ...      its parts; a node's `parameters` are in parameters.py, one type per node type

Owns the fields and their shapes, and nothing that two fields say together: that is check.py's. Unknown
fields are problems, fields that begin with `x-` are kept. The published JSON Schema is made from these
types (published.py), so a field's description is written here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from omium.spec.limits import (
    AGENTS_MAX,
    EDGES_MAX,
    ITERATIONS_DEFAULT,
    ITERATIONS_MAX,
    LABEL_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    NODES_MAX,
    TEXT_CHARACTERS_MAX,
    TIMEOUT_S_MAX,
    TOOLS_MAX,
)

NodeType: TypeAlias = Literal[
    "agent_task",
    "tool_call",
    "llm_call",
    "function",
    "decision",
    "approval",
    "wait",
    "map",
    "subworkflow",
]
NODE_TYPES: Final[tuple[NodeType, ...]] = get_args(NodeType)
Join: TypeAlias = Literal["all", "all_fired", "any"]
On: TypeAlias = Literal["success", "failure", "always"]
EdgeKind: TypeAlias = Literal["control", "context"]

NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
"""Of nodes, agents and loops: no dot, which parts a reference, and nothing that parts a step's path."""
HANDLER_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"
EXTENSION_PATTERN: Final = "^x-"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=100)]
Handler = Annotated[str, StringConstraints(pattern=HANDLER_PATTERN, max_length=200)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Label = Annotated[str, StringConstraints(max_length=LABEL_CHARACTERS_MAX)]
Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS_MAX)]
Words = Annotated[tuple[Key, ...], Field(strict=False, max_length=100)]
Json: TypeAlias = Any
"""A JSON value of the writer's own; what it means is looked at elsewhere."""
Object: TypeAlias = dict[str, Any]


class Part(BaseModel):
    """A part of a spec: frozen, no conversions ("3" is no number), `x-` fields kept."""

    model_config = ConfigDict(
        extra="allow",  # check.py tells which of the extra fields are unknown ones
        frozen=True,
        strict=True,
        validate_by_name=False,
        defer_build=True,  # most processes never read a spec
        json_schema_extra={"patternProperties": {EXTENSION_PATTERN: {}}, "additionalProperties": False},
    )

    def form(self) -> Object:
        """Return the part as the document says it, without what stands for its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Ref(Part):
    """Code that is shown to people and run by a worker that registered it; it never imports anything."""

    ref: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """`module:qualname`."""
    source: Text = ""
    """The source text, for people."""


class Condition(Part):
    """When an edge fires: an expression in CEL, or in native mode the framework's own code."""

    expr: Annotated[str, StringConstraints(min_length=1, max_length=1_024)] | None = None
    """CEL over `output`, `error`, `inputs` and `nodes.X.output`."""
    ref: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """`module:qualname`; native mode only."""
    source: Text = ""
    """The source text of `ref`, for people."""


class Llm(Part):
    """Which model answers: a provider that the server's operator configured, never an address or a key."""

    provider: Key
    model: Label = ""
    """Empty: the provider's own default."""
    parameters: Object = Field(default_factory=dict)
    """Sent along as they are: temperature, max_tokens, ..."""


class Agent(Part):
    """Who does an `agent_task`."""

    role: Text = ""
    goal: Text = ""
    backstory: Text = ""
    llm: Llm | None = None
    tools: Words = ()
    """Names of `tools`."""
    max_turns: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Calls of the model in one task, at most."""
    allow_delegation: bool = False
    """Native mode only."""


class HttpCall(Part):
    """An HTTP request that the server makes through its guarded client; `{name}` stands for an argument."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    url: Annotated[str, StringConstraints(min_length=1, max_length=8_192)]
    headers: Object = Field(default_factory=dict)
    """Texts, or `{"$secret": "name"}`, or `{"$secret": "name", "prefix": "Bearer "}`."""
    query: Object = Field(default_factory=dict)
    """By name; values may name arguments."""
    body: Json = None
    """Left out: the arguments that the address does not name, as JSON (POST, PUT and PATCH)."""


class Tool(Part):
    """What an agent or a `tool_call` may call: an HTTP request, a worker's handler, or a framework's code."""

    description: Text = ""
    input_schema: Object = Field(default_factory=dict)
    """JSON Schema of its arguments."""
    output_schema: Object = Field(default_factory=dict)
    http: HttpCall | None = None
    handler: Handler | None = None
    """Name of a handler that a worker registered."""
    ref: Ref | None = None
    """Native mode only."""
    effect: Literal[False, True, "idempotent"] = False
    """Whether a call changes something outside."""


class Retry(Part):
    """How often a node is tried, and how long is waited in between."""

    max_attempts: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Attempts in all; 1 means no retry."""
    initial_delay_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = 1.0
    multiplier: Annotated[float, Field(ge=1, le=1_000)] = 2.0
    max_delay_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = 60.0
    jitter: bool = True
    """Draw the delay evenly from zero to what it would be without."""
    retry_on: Annotated[tuple[Json, ...], Field(strict=False, max_length=100)] = ()
    """Class names, error codes or HTTP statuses (429, "5xx"); empty: every error."""
    give_up_on: Annotated[tuple[Json, ...], Field(strict=False, max_length=100)] = ()
    """Wins over `retry_on`."""


class Concurrency(Part):
    """A limit that all executions of the tenant share under one key."""

    key: Key
    limit: Annotated[int, Field(ge=1, le=10_000)]


class Checkpoint(Part):
    """Whether the node's output is a checkpoint, and which shape it must have."""

    enabled: bool = True
    payload: Object = Field(default_factory=dict)
    """JSON Schema; an output of another shape fails the node and is not retried."""


class Edge(Part):
    """From one node to another. `control` activates; `context` is waited for and never activates."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=250)] | None = None
    """Default: `from->to`, with `#2` for the second one."""
    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    on: On = "success"
    when: Condition | None = None
    default: bool = False
    """Of a decision: taken when no other edge is."""
    kind: EdgeKind = "control"
    x_kind: Label | None = Field(default=None, alias="x-kind")
    """What the framework calls it: router, command, join. Says nothing to the engine."""


class Loop(Part):
    """Limits of the loop whose header has this id."""

    max_iterations: Annotated[int, Field(ge=1, le=ITERATIONS_MAX)] = ITERATIONS_DEFAULT


class Breaker(Part):
    """When a circuit breaker opens, and how it is probed."""

    window_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    min_calls: Annotated[int, Field(ge=1, le=10_000)] = 10
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    cooldown_s: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    probes: Annotated[int, Field(ge=1, le=100)] = 2
    tokens_per_minute: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    """What the nodes of this breaker may use together; then they wait. Default: any number."""
    microcredits_per_minute: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    """What they may cost together, in millionths of a credit."""


class Runtime(Part):
    """Who runs the workflow: the engine node by node, or a worker the framework itself (`native`)."""

    mode: Literal["engine", "native"] = "engine"
    entrypoint: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """What a worker serves in native mode, such as `crew.py:crew`."""
    queue: Key = "default"


class Node(Part):
    """One step of a workflow."""

    id: Name
    type: NodeType
    name: Label = ""
    """For people; default: the id."""
    description: Text = ""
    agent: Name | None = None
    tool: Key | None = None
    workflow: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    """Of a subworkflow: `name`, or `name@version` with the number of a version."""
    body: Body | None = None
    """Of a map: what is done with each item."""
    parameters: Object = Field(default_factory=dict)
    """What the type asks for."""
    inputs: Object = Field(default_factory=dict)
    """By name: values, and references such as `{"$from": "nodes.write.output.title", "default": ""}`."""
    outputs: Object = Field(default_factory=dict)
    """JSON Schema of the output; another shape fails the node."""
    retry: Retry | None = None
    timeout_s: Annotated[float, Field(gt=0, le=TIMEOUT_S_MAX)] | None = None
    """Of one attempt."""
    concurrency: Concurrency | None = None
    breaker: Key | None = None
    """A name; `breakers` may set its limits."""
    effect: Literal[False, True, "idempotent"] = False
    """Whether the node changes something outside, so that it must not be done twice."""
    compensate: Handler | None = None
    """Handler that undoes the effect when the execution is rolled back."""
    join: Join = "all"
    checkpoint: Checkpoint | None = None
    start: bool = False
    """Begins with the workflow; default: the nodes that no control edge enters."""
    dynamic: bool = False
    """Chooses its successors itself; native mode only."""
    ref: Ref | None = None
    """The framework's code of this node; native mode only."""
    defer: bool = False
    """Native mode only."""
    interrupt: Literal["before", "after"] | None = None
    """Native mode only."""
    cache: Object | None = None
    """The framework's own cache policy; native mode only."""


class Body(Part):
    """A spec inside of a spec: its nodes see `item`, `index` and the `inputs` of their map, nothing else."""

    inputs: Object = Field(default_factory=dict)
    """JSON Schema of the inputs that the map hands to each item."""
    outputs: Object = Field(default_factory=dict)
    """What an item gives: values and references."""
    nodes: Annotated[tuple[Node, ...], Field(strict=False, min_length=1, max_length=NODES_MAX)]
    edges: Annotated[tuple[Edge, ...], Field(strict=False, max_length=EDGES_MAX)] = ()
    loops: dict[Name, Loop] = Field(default_factory=dict)
    """By the id of their header."""


class Spec(Body):
    """A workflow, version 0 of the format."""

    omium: Literal["0"]
    """Version of the format."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    description: Text = ""
    version: Label = ""
    """A label for people; a stored version is known by its number."""
    source_framework: Label = "custom"
    """crewai, langgraph, sematic, semantic_kernel, custom, ..."""
    inputs: Object = Field(default_factory=dict)
    """JSON Schema of the workflow's inputs."""
    outputs: Object = Field(default_factory=dict)
    """What the workflow gives: values and references."""
    agents: Annotated[dict[Name, Agent], Field(max_length=AGENTS_MAX)] = Field(default_factory=dict)
    tools: Annotated[dict[Key, Tool], Field(max_length=TOOLS_MAX)] = Field(default_factory=dict)
    breakers: Annotated[dict[Key, Breaker], Field(max_length=AGENTS_MAX)] = Field(default_factory=dict)
    process: Literal["sequential", "hierarchical"] | None = None
    """How a crew works; native mode only."""
    manager: Name | None = None
    """The agent that leads a hierarchical crew; native mode only."""
    state: Object | None = None
    """Channels and reducers of the framework; native mode only."""
    runtime: Runtime = Field(default_factory=Runtime)


Node.model_rebuild()  # it names Body, which comes after it
