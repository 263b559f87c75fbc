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
from omium.spec.templates import UnknownName, measure, render

PROMPT_CHARACTERS_MAX: Final = 1_000_000
"""Of one rendered text: inputs may be much larger than what a model reads."""
CONVERSATION_CHARACTERS_MAX: Final = 4 * PROMPT_CHARACTERS_MAX
"""Of all texts of one conversation's beginning."""


class PromptWriter:
    """Puts a task's inputs into its templates; they are read once for all of them."""

    def __init__(self, grant: TaskGrant) -> None:
        self._node = grant.node
        self._values = {name: plain(value) for name, value in grant.inputs.items()}
        self._lengths = {name: _length(value) for name, value in self._values.items()}
        self._room = CONVERSATION_CHARACTERS_MAX

    def write(self, template: object) -> str:
        """Return `template` with the task's inputs put in once; raises `RunFailed`."""
        if not isinstance(template, str):
            return ""
        size = measure(template, self._lengths)
        self._room -= size
        if size > PROMPT_CHARACTERS_MAX or self._room < 0:
            raise fail(
                "PromptTooLarge",
                f"The prompt of {self._node} has {size:,} characters; {PROMPT_CHARACTERS_MAX:,} are allowed,"
                f" {CONVERSATION_CHARACTERS_MAX:,} in all messages together. Hand it a part of its inputs.",
                code="prompt-too-large",
                retryable=False,
            )
        try:
            return render(template, self._values)
        except UnknownName as unknown:
            raise fail(
                "TemplateError", str(unknown), code="template-name-unknown", retryable=False
            ) from unknown


def list_messages(grant: TaskGrant) -> list[JsonValue]:
    """Return the conversation that an `llm_call` begins with."""
    parameters, write = grant.parameters, PromptWriter(grant).write
    messages: list[JsonValue] = []
    if parameters.get("system"):
        messages.append({"role": "system", "content": write(parameters["system"])})
    given = parameters.get("messages")
    messages += [
        {"role": each.get("role"), "content": write(each.get("content"))}
        for each in (given if isinstance(given, list) else [])
        if isinstance(each, dict)
    ]
    if parameters.get("prompt") is not None:
        messages.append({"role": "user", "content": write(parameters["prompt"])})
    return messages


def list_task_messages(grant: TaskGrant) -> list[JsonValue]:
    """Return the conversation that an `agent_task` begins with: who the agent is, and what it is to do."""
    agent, write = grant.agent or {}, PromptWriter(grant).write
    lines = [f"You are {write(agent['role'])}."] if agent.get("role") else []
    lines += [f"Your goal: {write(agent['goal'])}"] if agent.get("goal") else []
    lines += [write(agent["backstory"])] if agent.get("backstory") else []
    task = write(grant.parameters.get("description"))
    expected = write(grant.parameters.get("expected_output"))
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
