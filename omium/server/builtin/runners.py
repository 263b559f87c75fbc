"""BuiltIn: what one server process has for its built-in nodes, and who runs which type of node.

Owns how providers, clients and the expressions' processes are opened and closed with the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from omium.server.builtin.agent_task import run_agent_task
from omium.server.builtin.context import RunContext, Runner, TaskDone, TaskFailed, TaskGrant
from omium.server.builtin.expressions import ExpressionPool
from omium.server.builtin.http_tools import HttpTools, plain_arguments
from omium.server.builtin.llm_call import run_llm_call
from omium.server.builtin.model import Models, RunFailed
from omium.server.builtin.providers import FILE_NAME, Providers
from omium.server.outbound.http import GuardedClient
from omium.server.settings import ServerSettings


class BuiltIn:
    """One for each server process; `runners` by node type, `expressions` for conditions."""

    def __init__(self, providers: Providers, tools: HttpTools, *, ca_file: str = "") -> None:
        self.providers = providers
        self.expressions = ExpressionPool()
        models = Models(providers, ca_file=ca_file)
        self.runners: Mapping[str, Runner] = {
            "llm_call": partial(run_llm_call, models),
            "agent_task": partial(run_agent_task, models, tools),
            "tool_call": partial(run_tool_call, tools),
        }

    @classmethod
    def load(cls, settings: ServerSettings) -> BuiltIn:
        """Return what `settings` allow; `ConfigError` where the providers' file is wrong."""
        providers = Providers(settings.data / FILE_NAME)
        providers.load()
        client = GuardedClient(
            settings.tool_allow, ca_file=settings.outbound_ca_file, variable="OMIUM_TOOL_ALLOW"
        )
        return cls(providers, HttpTools(client), ca_file=settings.outbound_ca_file)

    async def run_task(self, context: RunContext, grant: TaskGrant) -> TaskDone | TaskFailed:
        """Do one attempt of a node whose type is in `runners`."""
        return await self.runners[grant.type](context, grant)

    async def close(self) -> None:
        """End what runs beside the server."""
        await self.expressions.close()


async def run_tool_call(tools: HttpTools, context: RunContext, grant: TaskGrant) -> TaskDone | TaskFailed:
    """`tool_call`: one HTTP request, whose answer is the node's output."""
    name, tool = next(iter(grant.tools.items()))
    try:
        value = await tools.call(
            context,
            name,
            tool,
            plain_arguments(grant.inputs),
            timeout_s=grant.timeout_s,
            idempotency_key=grant.effect_key,
        )
    except RunFailed as failed:
        return failed.failed
    return TaskDone(value)
