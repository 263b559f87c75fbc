"""What the fields of a node, an agent and a tool must say together: one function per subject.

Shapes are shape.py's, references reading.py's, edges edge_rules.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from omium.errors import ConfigError
from omium.jsonvalue import JsonValue
from omium.retry import RetryPolicy
from omium.spec.document import Agent, HttpCall, Node, NodeType, Retry, Spec, Tool
from omium.spec.limits import MAP_ITEMS_MAX, WAIT_S_MAX
from omium.spec.parameters import PARAMETERS, AgentTask, Approval, FunctionCall, LlmCall, MapItems, Wait
from omium.spec.problems import Report, SpecProblem, did_you_mean, join_pointer, shown
from omium.spec.references import is_reference
from omium.spec.schemas import check_schema
from omium.spec.shape import read_part
from omium.spec.templates import list_names

_FIELDS_OF: Final[dict[str, frozenset[NodeType]]] = {
    "agent": frozenset({"agent_task", "llm_call"}),
    "tool": frozenset({"tool_call"}),
    "workflow": frozenset({"subworkflow"}),
    "body": frozenset({"map"}),
}
"""Fields that belong to some types only."""
_REQUIRED: Final[dict[NodeType, str]] = {"tool_call": "tool", "subworkflow": "workflow", "map": "body"}
_NO_EFFECT: Final[frozenset[NodeType]] = frozenset({"decision", "approval", "wait", "map", "subworkflow"})
_NATIVE_NODE: Final = ("dynamic", "ref", "defer", "interrupt", "cache")
_NATIVE_SPEC: Final = ("process", "manager", "state")
_NATIVE_TASK: Final = ("human_input", "async_execution", "guardrails")
_WORKFLOW: Final = re.compile(r"[^@/\s][^@]{0,198}(@[1-9][0-9]{0,8})?")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")


def check_spec_fields(spec: Spec, problem: Report) -> None:
    """Report what is wrong with agents, tools and the spec itself."""
    for name, agent in spec.agents.items():
        _check_agent(spec, agent, join_pointer("/agents", name), problem)
    for name, tool in spec.tools.items():
        _check_tool(spec, tool, join_pointer("/tools", name), problem)
    _check_schemas(problem, {"/inputs": spec.inputs})
    if spec.manager is not None:
        _check_known("agent", spec.manager, spec.agents, "/manager", problem)
    if spec.runtime.mode == "engine":
        for field in _NATIVE_SPEC:
            if getattr(spec, field) is not None:
                _tell_native(problem, f"/{field}", field)


def check_node(spec: Spec, node: Node, pointer: str, problem: Report, warning: Report) -> None:
    """Report what is wrong with one node, apart from what it reads."""
    is_engine = spec.runtime.mode == "engine"
    for field, types in _FIELDS_OF.items():
        if getattr(node, field) is not None and node.type not in types and (is_engine or field != "body"):
            _tell(
                problem,
                join_pointer(pointer, field),
                "misplaced-field",
                f"A node of type {node.type} has no {field}.",
                f"Remove it; {' and '.join(sorted(types))} has it.",
            )
    required = _REQUIRED.get(node.type)
    if required and getattr(node, required) is None and is_engine:
        _tell_missing(problem, pointer, required, f"A {node.type} needs a {required}.")
    if node.agent is not None:
        _check_known("agent", node.agent, spec.agents, join_pointer(pointer, "agent"), problem)
    if node.tool is not None:
        _check_known("tool", node.tool, spec.tools, join_pointer(pointer, "tool"), problem)
    if node.breaker is not None:
        _check_known("breaker", node.breaker, spec.breakers, join_pointer(pointer, "breaker"), problem)
    if node.workflow is not None and not _WORKFLOW.fullmatch(node.workflow):
        _tell(
            problem,
            join_pointer(pointer, "workflow"),
            "wrong-value",
            f"{shown(node.workflow)} names no workflow.",
            'Write "name", or "name@3" for its version 3.',
        )
    _check_effect(node, pointer, problem, warning)
    _check_retry(node.retry, join_pointer(pointer, "retry"), problem)
    payload = node.checkpoint.payload if node.checkpoint else {}
    _check_schemas(
        problem,
        {
            join_pointer(pointer, "outputs"): node.outputs,
            join_pointer(pointer, "checkpoint", "payload"): payload,
            join_pointer(pointer, "body", "inputs"): node.body.inputs if node.body else {},
        },
    )
    if is_engine:
        for field in _NATIVE_NODE:
            if getattr(node, field):
                _tell_native(problem, join_pointer(pointer, field), field)
    _check_parameters(spec, node, pointer, problem, warning)


def _check_parameters(spec: Spec, node: Node, pointer: str, problem: Report, warning: Report) -> None:
    at = join_pointer(pointer, "parameters")
    part, found = read_part(PARAMETERS[node.type], node.parameters, at)
    for each in found:
        problem(each)
    is_engine = spec.runtime.mode == "engine"
    match part:
        case AgentTask():
            _check_agent_task(spec, node, part, pointer, problem)
            _warn_of_tools(spec, node, part, warning)
        case LlmCall():
            _check_llm_call(spec, node, part, pointer, problem)
        case FunctionCall() if is_engine and part.handler is None:
            _tell_missing(problem, at, "handler", "A function needs the name of a handler.")
        case Approval():
            _check_template(problem, join_pointer(at, "message"), part.message, node.inputs, "input")
        case Wait() if is_engine:
            _check_wait(part, at, problem)
        case MapItems() if is_engine:
            _check_items(part.items, join_pointer(at, "items"), problem)
        case _:
            pass


def _check_agent_task(spec: Spec, node: Node, task: AgentTask, pointer: str, problem: Report) -> None:
    at = join_pointer(pointer, "parameters")
    if spec.runtime.mode == "native":
        return  # the framework fills its own templates
    for field in ("description", "expected_output"):
        _check_template(problem, join_pointer(at, field), getattr(task, field), node.inputs, "input")
    for field in _NATIVE_TASK:
        if getattr(task, field):
            _tell_native(problem, join_pointer(at, field), field)
    agent = spec.agents.get(node.agent) if node.agent else None
    if node.agent is None and task.handler is None:
        _tell_missing(problem, pointer, "agent", "An agent_task needs an agent, or a worker's handler.")
    if agent is None:
        return
    place = join_pointer("/agents", str(node.agent))
    if agent.llm is None and task.handler is None:
        _tell_missing(
            problem,
            place,
            "llm",
            f"The agent of {node.id} has no model, and no worker's handler does the task.",
        )
    for field in ("role", "goal", "backstory"):
        for name in list_names(getattr(agent, field)):
            if name not in node.inputs:
                _tell(
                    problem,
                    join_pointer(place, field),
                    "unknown-template-name",
                    f"The {field} asks for {{{name}}}, and the node {node.id} has no input of that name.",
                    did_you_mean(name, node.inputs, f'Add "{name}" to the inputs of {node.id}.'),
                )


def _warn_of_tools(spec: Spec, node: Node, task: AgentTask, warning: Report) -> None:
    """Warn of tools that an agent may ask for and the server, which does the task, cannot call."""
    agent = spec.agents.get(node.agent) if node.agent else None
    if agent is None or task.handler is not None or spec.runtime.mode == "native":
        return
    for number, name in enumerate(agent.tools):
        tool = spec.tools.get(name)
        if tool is not None and tool.handler is not None and tool.http is None:
            _tell(
                warning,
                join_pointer("/agents", str(node.agent), "tools", number),
                "tool-not-served",
                f"The server does the task {node.id} and calls HTTP tools only: it fails when its agent asks"
                f" for {name}, which a worker's handler does.",
                f'Give the tool {name} an "http" request, or the parameters of {node.id} a "handler".',
            )


def _check_llm_call(spec: Spec, node: Node, call: LlmCall, pointer: str, problem: Report) -> None:
    at = join_pointer(pointer, "parameters")
    if spec.runtime.mode == "native":
        return
    if (call.prompt is None) == (not call.messages):
        _tell(
            problem, at, "wrong-value", "An llm_call has either a prompt or messages.", 'Give it a "prompt".'
        )
    texts = {"prompt": call.prompt or "", "system": call.system}
    for field, text in texts.items():
        _check_template(problem, join_pointer(at, field), text, node.inputs, "input")
    for number, message in enumerate(call.messages):
        place = join_pointer(at, "messages", number, "content")
        _check_template(problem, place, message.content, node.inputs, "input")
    agent = spec.agents.get(node.agent) if node.agent else None
    if (
        call.llm is None
        and (agent is None or agent.llm is None)
        and (node.agent is None or agent is not None)
    ):
        _tell_missing(problem, at, "llm", "Nothing says which model to call.")


def _check_wait(wait: Wait, pointer: str, problem: Report) -> None:
    given = [name for name in ("seconds", "until", "signal") if getattr(wait, name) is not None]
    if len(given) != 1:
        _tell(
            problem,
            pointer,
            "wrong-value",
            "A wait has exactly one of seconds, until and signal"
            + (f", not {' and '.join(given)}." if given else "."),
            'Write {"seconds": 60}.',
        )
    seconds, until = wait.seconds, wait.until
    if seconds is not None and not is_reference(seconds):
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds <= WAIT_S_MAX:
            _tell(
                problem,
                join_pointer(pointer, "seconds"),
                "wrong-value",
                f"seconds is a number from 0 to {WAIT_S_MAX:,.0f} or a reference, not {shown(seconds)}.",
                "",
            )
    if (
        until is not None
        and not is_reference(until)
        and not (isinstance(until, str) and _TIME.fullmatch(until))
    ):
        _tell(
            problem,
            join_pointer(pointer, "until"),
            "wrong-value",
            f"until is a time with its zone or a reference, not {shown(until)}.",
            'Write it like "2027-01-31T12:00:00Z".',
        )
    if wait.timeout_s is not None and wait.signal is None:
        _tell(
            problem,
            join_pointer(pointer, "timeout_s"),
            "misplaced-field",
            "Only waiting for a signal has a timeout.",
            "Remove it.",
        )


def _check_items(items: JsonValue, pointer: str, problem: Report) -> None:
    if isinstance(items, list):
        if len(items) > MAP_ITEMS_MAX:
            _tell(
                problem,
                pointer,
                "limit-exceeded",
                f"A map takes {MAP_ITEMS_MAX:,} items, not {len(items):,}.",
                "Let one map hand parts to another.",
            )
    elif not is_reference(items):
        _tell(
            problem,
            pointer,
            "type-mismatch",
            f"items is a list or a reference to one, not {shown(items)}.",
            'Write {"$from": "nodes.X.output.list"}.',
        )


def _check_agent(spec: Spec, agent: Agent, pointer: str, problem: Report) -> None:
    for number, name in enumerate(agent.tools):
        _check_known("tool", name, spec.tools, join_pointer(pointer, "tools", number), problem)
    if agent.allow_delegation and spec.runtime.mode == "engine":
        _tell_native(problem, join_pointer(pointer, "allow_delegation"), "allow_delegation")


def _check_tool(spec: Spec, tool: Tool, pointer: str, problem: Report) -> None:
    _check_schemas(
        problem,
        {
            join_pointer(pointer, "input_schema"): tool.input_schema,
            join_pointer(pointer, "output_schema"): tool.output_schema,
        },
    )
    if spec.runtime.mode == "engine":
        if tool.ref is not None:
            _tell_native(problem, join_pointer(pointer, "ref"), "ref")
        elif (tool.http is None) == (tool.handler is None):
            _tell(
                problem,
                pointer,
                "wrong-value",
                "A tool is either an http request or a worker's handler.",
                'Give it one of "http" and "handler".',
            )
    if tool.http is not None:
        _check_http(tool, tool.http, join_pointer(pointer, "http"), problem)


def _check_http(tool: Tool, http: HttpCall, pointer: str, problem: Report) -> None:
    if not re.match(r"https?://[^/{}?#\s]", http.url, re.IGNORECASE):
        _tell(
            problem,
            join_pointer(pointer, "url"),
            "wrong-value",
            f"{shown(http.url)} is no address of the web; its host cannot be an argument.",
            'Write it like "https://api.example.com/items/{id}".',
        )
    arguments = tool.input_schema.get("properties")
    if isinstance(arguments, dict):
        _check_template(problem, join_pointer(pointer, "url"), http.url, arguments, "argument")
    for name, value in http.headers.items():
        if not isinstance(value, str) and not (isinstance(value, dict) and "$secret" in value):
            _tell(
                problem,
                join_pointer(pointer, "headers", name),
                "wrong-type",
                f"A header is a text or a named secret, not {shown(value)}.",
                'Write {"$secret": "name"} for a secret.',
            )


def _check_effect(node: Node, pointer: str, problem: Report, warning: Report) -> None:
    if node.effect and node.type in _NO_EFFECT:
        _tell(
            problem,
            join_pointer(pointer, "effect"),
            "misplaced-field",
            f"A node of type {node.type} changes nothing outside itself.",
            "Remove it, and mark the node that does.",
        )
    if node.compensate is not None and not node.effect:
        _tell(
            warning,
            join_pointer(pointer, "compensate"),
            "nothing-to-compensate",
            "Only effects are compensated when an execution is rolled back.",
            'Add "effect": true if the node changes something outside.',
        )


def _check_retry(retry: Retry | None, pointer: str, problem: Report) -> None:
    for field in ("retry_on", "give_up_on") if retry else ():
        rules: tuple[Any, ...] = getattr(retry, field)
        for number, rule in enumerate(rules):
            try:
                RetryPolicy.from_json({field: [rule]})
            except (ConfigError, TypeError) as refused:
                place = join_pointer(pointer, field, number)
                _tell(
                    problem, place, "wrong-value", str(refused), 'Write a class name, a code, 429 or "5xx".'
                )


def _check_schemas(problem: Report, schemas: dict[str, JsonValue]) -> None:
    for pointer, schema in schemas.items():
        refused = check_schema(schema) if schema else None
        if refused is not None:
            _tell(problem, pointer + refused.pointer, "bad-schema", str(refused), "It must be JSON Schema.")


def _check_template(problem: Report, pointer: str, text: str, names: Iterable[str], what: str) -> None:
    known = set(names)
    for name in list_names(text):
        if name not in known:
            _tell(
                problem,
                pointer,
                "unknown-template-name",
                f"The template asks for {{{name}}}, and there is no {what} of that name.",
                did_you_mean(name, known, f"Add it, or write {{{{{name}}}}} for the text itself."),
            )


def _check_known(what: str, name: str, known: Iterable[str], pointer: str, problem: Report) -> None:
    if name not in set(known):
        _tell(
            problem,
            pointer,
            f"unknown-{what}",
            f"There is no {what} {name[:100]!r}.",
            did_you_mean(name, known, f'Describe it in "{what}s".'),
        )


def _tell_native(problem: Report, pointer: str, field: str) -> None:
    _tell(
        problem,
        pointer,
        "native-only",
        f"{field} is for native mode: the engine does not run a framework's own code or rules.",
        'Remove it, or let a worker run the framework: "runtime": {"mode": "native"}.',
    )


def _tell_missing(problem: Report, pointer: str, field: str, sentence: str) -> None:
    _tell(problem, join_pointer(pointer, field), "missing-field", sentence, f'Add "{field}".')


def _tell(report: Report, pointer: str, code: str, detail: str, suggestion: str) -> None:
    report(SpecProblem(pointer, detail, suggestion, code))
