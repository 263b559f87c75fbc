"""Prompts: from what a spec says to the messages that a model is sent, and from its answer to an output.

Owns the wording around a task, the size of what is put together, and how an answer becomes structured output
where the node asks for it. Templates themselves are omium/spec/templates.py.
"""

from __future__ import annotations

from typing import Final

from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, encode, json_bytes, parse_json, plain
from omium.server.builtin.context import NO_USAGE, Object, TaskGrant
from omium.server.builtin.model import ModelAnswer, fail
from omium.spec.schemas import SchemaInvalid, check_value
from omium.spec.templates import UnknownName, render

PROMPT_CHARACTERS_MAX: Final = 1_000_000
"""Of one rendered text: inputs may be much larger than what a model reads."""


def render_text(template: object, grant: TaskGrant) -> str:
    """Return `template` with the task's inputs put in once; raises `RunFailed`."""
    if not isinstance(template, str):
        return ""
    values = {name: plain(value) for name, value in grant.inputs.items()}
    size = len(template) + sum(_length(values[name]) * template.count(f"{{{name}}}") for name in values)
    if size > PROMPT_CHARACTERS_MAX:
        raise fail(
            "PromptTooLarge",
            f"The prompt of {grant.node} has {size:,} characters; {PROMPT_CHARACTERS_MAX:,} are allowed. Hand"
            " it a part of its inputs.",
            code="prompt-too-large",
            retryable=False,
        )
    try:
        return render(template, values)
    except UnknownName as unknown:
        raise fail("TemplateError", str(unknown), code="template-name-unknown", retryable=False) from unknown


def list_messages(grant: TaskGrant) -> list[JsonValue]:
    """Return the conversation that an `llm_call` begins with."""
    parameters = grant.parameters
    messages: list[JsonValue] = []
    if parameters.get("system"):
        messages.append({"role": "system", "content": render_text(parameters["system"], grant)})
    given = parameters.get("messages")
    messages += [
        {"role": each.get("role"), "content": render_text(each.get("content"), grant)}
        for each in (given if isinstance(given, list) else [])
        if isinstance(each, dict)
    ]
    if parameters.get("prompt") is not None:
        messages.append({"role": "user", "content": render_text(parameters["prompt"], grant)})
    return messages


def list_task_messages(grant: TaskGrant) -> list[JsonValue]:
    """Return the conversation that an `agent_task` begins with: who the agent is, and what it is to do."""
    agent = grant.agent or {}
    lines = [f"You are {render_text(agent['role'], grant)}."] if agent.get("role") else []
    lines += [f"Your goal: {render_text(agent['goal'], grant)}"] if agent.get("goal") else []
    lines += [render_text(agent["backstory"], grant)] if agent.get("backstory") else []
    task = render_text(grant.parameters.get("description"), grant)
    expected = render_text(grant.parameters.get("expected_output"), grant)
    if expected:
        task += f"\n\nExpected output: {expected}"
    if wants_json(grant.output_schema):
        schema = json_bytes(dict(grant.output_schema or {})).decode()
        task += f"\n\nAnswer with nothing but JSON that follows this schema:\n{schema}"
    system: list[JsonValue] = [{"role": "system", "content": "\n".join(lines)}] if lines else []
    return [*system, {"role": "user", "content": task}]


def wants_json(schema: Object | None) -> bool:
    """Say whether an output of this schema is more than a text."""
    return bool(schema) and (schema or {}).get("type") != "string"


def response_format(schema: Object | None) -> dict[str, JsonValue]:
    """Return what asks a provider for structured output, nothing where text will do."""
    if not wants_json(schema):
        return {}
    form: JsonValue = {"name": "output", "schema": dict(schema or {})}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def read_output(grant: TaskGrant, answer: ModelAnswer, *, paid: bool) -> JsonValue:
    """Return the node's output; raises `RunFailed` where the answer is not what its schema asks for.

    `paid`: the answer's usage is recorded already.
    """
    usage = NO_USAGE if paid else answer.usage
    if not wants_json(grant.output_schema):
        return answer.text
    try:
        value = parse_json(_strip_fence(answer.text))
        problems = check_value(dict(grant.output_schema or {}), value)
    except InvalidJson:
        cut = " It was cut off: raise max_tokens." if answer.finish_reason == "length" else ""
        raise fail(
            "OutputInvalid",
            f"The model's answer is not JSON, which {grant.node} asks for.{cut} It begins:"
            f" {answer.text[:200]}",
            code="output-invalid",
            retryable=True,
            usage=usage,
        ) from None
    except SchemaInvalid as invalid:
        raise fail(
            "SchemaInvalid", str(invalid), code="schema-invalid", retryable=False, usage=usage
        ) from invalid
    if problems:
        first = problems[0]
        raise fail(
            "OutputInvalid",
            f"The model's answer does not follow the schema of {grant.node}: {first.pointer or '/'}:"
            f" {first.detail}",
            code="output-invalid",
            retryable=True,
            usage=usage,
        )
    return encode(value)


def _strip_fence(text: str) -> str:
    """Return what stands in a Markdown fence, which small models put around JSON whatever they are told."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") + 1 : -3].strip()
    return text


def _length(value: JsonValue) -> int:
    return len(value) if isinstance(value, str) else len(json_bytes(value))
