"""`agent_task`: an agent works in turns: its model answers or asks for tools, and sees what they gave.

    turn-3            what the model said, with its usage
    turn-3-tool-1     what the first tool that it asked for gave
    turn-3-tool-1-begun   before a tool that changes something outside

Each is journaled through the engine before anything follows from it, and read instead of done when the task
is started again: a crash between a tool and the next call of the model repeats neither. A tool that had begun
and left no result ended in nobody knows what: where it changes something outside, a person decides. Owns the
loop and its ends: an answer, the turn limit, an agent that goes in circles, a cancel.
"""

from __future__ import annotations

import hashlib
from typing import Final

from omium.breaker.progress import REPEATS, Progress, call_signature, is_circling, note_call
from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, encode, json_bytes, parse_json, plain
from omium.server.builtin.context import Object, RunContext, TaskDone, TaskFailed, TaskGrant
from omium.server.builtin.http_tools import HttpTools
from omium.server.builtin.llm_call import llm_of
from omium.server.builtin.model import ModelAnswer, Models, RunFailed, fail
from omium.server.builtin.prompts import list_task_messages, read_output, response_format

TURNS: Final = 20
"""How many calls of its model a task may have where the spec says nothing."""
TOOLS_PER_TURN_MAX: Final = 32
TOOL_TEXT_CHARACTERS_MAX: Final = 200_000
"""Of what one tool gave, as its model is shown it."""


async def run_agent_task(
    models: Models, tools: HttpTools, context: RunContext, grant: TaskGrant
) -> TaskDone | TaskFailed:
    """Work on the task until its agent has answered."""
    try:
        return TaskDone(await _AgentTask(models, tools, context, grant).run())
    except RunFailed as failed:
        return failed.failed


class _AgentTask:
    """One start of one task."""

    def __init__(self, models: Models, tools: HttpTools, context: RunContext, grant: TaskGrant) -> None:
        self._models = models
        self._tools = tools
        self._context = context
        self._grant = grant
        self._journal: dict[str, JsonValue] = {turn.name: plain(turn.output) for turn in grant.turns}
        self._messages = list_task_messages(grant)
        self._progress = Progress()

    async def run(self) -> JsonValue:
        turns = _turns_of(self._grant)
        for number in range(1, turns + 1):
            answer = await self._ask(number)
            self._messages.append(_message_of(answer))
            calls = _list_calls(answer)
            if calls:
                for position, call in enumerate(calls, 1):
                    content = await self._use_tool(f"turn-{number}-tool-{position}", call)
                    self._messages.append(
                        {"role": "tool", "tool_call_id": str(call.get("id") or ""), "content": content}
                    )
                continue
            try:
                return read_output(self._grant, answer, paid=True)
            except RunFailed as refused:
                if refused.failed.error.code != "output-invalid" or number == turns:
                    raise
                self._messages.append(
                    {"role": "user", "content": f"{refused.failed.error.message} Answer again."}
                )
        raise fail(
            "TurnLimit",
            f"The agent of {self._grant.node} has had {turns} turns without an answer; raise max_turns, or"
            " give it less to do.",
            code="turn-limit",
            retryable=False,
        )

    async def _ask(self, number: int) -> ModelAnswer:
        """Return what the model says in this turn, from the journal where it has said it already."""
        name = f"turn-{number}"
        known = self._journal.get(name)
        if known is not None:
            return _read_journaled(known)
        if self._context.is_cancelled:
            raise fail("Cancelled", "A cancel was requested.", code="cancelled", retryable=False)
        await self._context.reserve()
        further = self._tool_definitions() or response_format(self._grant.output_schema)
        answer = await self._models.complete(
            self._context, self._grant, llm_of(self._grant), self._messages, further, number
        )
        form = {"message": answer.message, "finish_reason": answer.finish_reason}
        await self._context.record_turn(name, encode(form), answer.usage)
        return answer

    async def _use_tool(self, name: str, call: Object) -> str:
        """Return what a tool gave, as its model is shown it; an error is something to be shown, too."""
        function = call.get("function")
        asked = function if isinstance(function, dict) else {}
        tool_name, arguments = str(asked.get("name") or ""), _read_arguments(asked.get("arguments"))
        self._refuse_circles(tool_name, arguments)
        known = self._journal.get(name)
        if isinstance(known, dict):
            return str(known.get("content") or "")
        tool = self._grant.tools.get(tool_name)
        if tool is None:
            content = (
                f"Error: there is no tool {tool_name[:100]!r}; there are: {', '.join(self._grant.tools)}."
            )
        elif not isinstance(arguments, dict):
            content = "Error: the arguments are no JSON object."
        else:
            content = await self._call(name, tool_name, tool, arguments)
        await self._context.record_turn(name, encode({"tool": tool_name, "content": content}))
        return content

    async def _call(self, name: str, tool_name: str, tool: Object, arguments: dict[str, JsonValue]) -> str:
        effect = tool.get("effect") or False
        if effect is True:
            if f"{name}-begun" in self._journal:
                raise _unknown(f"The tool {tool_name} had begun when its task was lost")
            await self._context.record_turn(f"{name}-begun", encode({"tool": tool_name}))
        identity = f"{self._grant.execution_id}\x00{self._grant.path}\x00{name}"
        key = hashlib.sha256(identity.encode()).hexdigest()[:32] if effect else None
        try:
            value = await self._tools.call(self._context, tool_name, tool, arguments, idempotency_key=key)
        except RunFailed as failed:
            error = failed.failed.error
            if error.code in {"tool-not-served", "secret-missing", "target-refused", "schema-invalid"}:
                raise  # nothing that the model could do better
            if effect is True and error.code == "tool-unreachable" and not failed.failed.not_applied:
                raise _unknown(error.message.rstrip(".")) from failed
            return f"Error: {error.message}"
        text = value if isinstance(value, str) else json_bytes(plain(value)).decode()
        if len(text) > TOOL_TEXT_CHARACTERS_MAX:
            left_out = len(text) - TOOL_TEXT_CHARACTERS_MAX
            return f"{text[:TOOL_TEXT_CHARACTERS_MAX]}\n[{left_out:,} more characters]"
        return text

    def _refuse_circles(self, tool: str, arguments: JsonValue) -> None:
        self._progress = note_call(self._progress, call_signature(tool, arguments))
        if is_circling(self._progress):
            raise fail(
                "AgentCircling",
                f"The agent of {self._grant.node} has asked for {tool} with the same arguments {REPEATS}"
                " times among its last calls.",
                code="agent-circling",
                retryable=False,
            )

    def _tool_definitions(self) -> dict[str, JsonValue]:
        if not self._grant.tools:
            return {}
        return {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": name,
                        "description": tool.get("description") or "",
                        "parameters": tool.get("input_schema") or {"type": "object", "properties": {}},
                    },
                }
                for name, tool in self._grant.tools.items()
            ]
        }


def _unknown(what: str) -> RunFailed:
    return fail(
        "EffectUnknown",
        f"{what}, and nobody knows whether it was done. Look, then resume or replay the execution.",
        code="effect-unknown",
        retryable=False,
    )


def _turns_of(grant: TaskGrant) -> int:
    for holder in (grant.parameters, grant.agent or {}):
        turns = holder.get("max_turns")
        if type(turns) is int and turns > 0:
            return turns
    return TURNS


def _message_of(answer: ModelAnswer) -> dict[str, JsonValue]:
    """Return the model's message as it is sent back: without what only an answer has."""
    message: dict[str, JsonValue] = {"role": "assistant", "content": answer.text}
    if calls := _list_calls(answer):
        message["tool_calls"] = [dict(call) for call in calls]
    return message


def _list_calls(answer: ModelAnswer) -> list[Object]:
    calls = answer.message.get("tool_calls")
    found: list[Object] = [
        call for call in (calls if isinstance(calls, list) else []) if isinstance(call, dict)
    ]
    return found[:TOOLS_PER_TURN_MAX]


def _read_arguments(given: JsonValue) -> JsonValue:
    """Return the arguments, which most providers send as text; None where they are no JSON."""
    if isinstance(given, str):
        try:
            return parse_json(given) if given.strip() else {}
        except InvalidJson:
            return None
    return given if isinstance(given, dict) else {}


def _read_journaled(known: JsonValue) -> ModelAnswer:
    form = known if isinstance(known, dict) else {}
    message = form.get("message")
    return ModelAnswer(message if isinstance(message, dict) else {}, str(form.get("finish_reason") or ""))
