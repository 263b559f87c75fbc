"""`llm_call`: one call of a model, whose answer is the node's output.

If the process dies before the engine has recorded the answer, the next start asks again: nobody else knows
what was said. Its usage is recorded with the answer, or with the failure that it was paid for.
"""

from __future__ import annotations

from omium.server.builtin.context import Object, RunContext, TaskDone, TaskFailed, TaskGrant
from omium.server.builtin.model import Models, RunFailed, fail
from omium.server.builtin.prompts import list_messages, read_output, response_format


async def run_llm_call(models: Models, context: RunContext, grant: TaskGrant) -> TaskDone | TaskFailed:
    """Ask the node's model, or its agent's, and return what it said."""
    try:
        messages = list_messages(grant)
        if not messages:
            raise fail(
                "PromptMissing",
                f"{grant.node} has neither a prompt nor messages.",
                code="prompt-missing",
                retryable=False,
            )
        further = response_format(grant.output_schema)
        answer = await models.complete(context, grant, llm_of(grant), messages, further, 1)
        return TaskDone(read_output(grant, answer, paid=False), answer.usage)
    except RunFailed as failed:
        return failed.failed


def llm_of(grant: TaskGrant) -> Object | None:
    """Return the model that the node names itself, else its agent's."""
    for holder in (grant.parameters, grant.agent or {}):
        llm = holder.get("llm")
        if isinstance(llm, dict):
            return llm
    return None
