"""Which crews Omium's own engine can run, and why the others need CrewAI itself.

The engine runs a crew whose every step is "this agent's model answers this task, then the next": the same
calls of models in the same order, each told what the tasks before it gave. Whatever else an agent, a task or
a crew was given has its meaning in CrewAI's code, and one such thing makes the workflow native. A field that
this page does not know is compared with its default, so what a newer CrewAI adds makes a crew native, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from omium.adapters.crew.export_refs import unwrap
from omium.adapters.crew.export_texts import list_texts

_SAID: Final = {
    "tools": "has tools that are Python code",
    "mcps": "has tools of MCP servers",
    "guardrail": "has a guardrail",
    "guardrails": "has guardrails",
    "human_input": "asks a person",
    "async_execution": "runs beside other tasks",
    "output_pydantic": "gives a pydantic model, which CrewAI converts the answer to",
    "output_json": "gives JSON, which CrewAI converts the answer to",
    "memory": "remembers",
    "knowledge": "has knowledge of its own",
    "knowledge_sources": "has knowledge of its own",
    "planning": "plans before it works",
    "allow_delegation": "delegates work to others",
    "callback": "has a callback",
    "callbacks": "has callbacks",
    "step_callback": "has a callback after each step",
    "task_callback": "has a callback after each task",
    "max_rpm": "has a limit of requests per minute that CrewAI keeps",
    "output_file": "writes a file",
    "markdown": "asks for Markdown in CrewAI's words",
    "before_kickoff_callbacks": "has callbacks before it begins",
    "after_kickoff_callbacks": "has callbacks after it ends",
    "max_execution_time": "has a time limit that CrewAI keeps",
}
_AGENT_PLAIN: Final = frozenset(
    {
        *("entity_type", "id", "role", "goal", "backstory", "llm", "config", "verbose", "cache", "max_iter"),
        *("max_retry_limit", "respect_context_window", "use_better_compaction", "security_config", "crew"),
        *("tools_handler", "cache_handler", "agent_executor", "tools_results", "i18n", "max_tokens"),
        *("date_format", "code_execution_mode", "guardrail_max_retries", "from_repository"),
        *("checkpoint_kickoff_event_id", "execution_context", "memory_kind"),
    }
)
_TASK_PLAIN: Final = frozenset(
    {
        *(
            "name",
            "description",
            "expected_output",
            "agent",
            "context",
            "config",
            "id",
            "output",
            "used_tools",
        ),
        *("tools_errors", "delegations", "prompt_context", "create_directory", "security_config"),
        *("processed_by_agents", "guardrail_max_retries", "max_retries", "retry_count", "start_time"),
        *("end_time", "checkpoint_original_description", "checkpoint_original_expected_output"),
    }
)
_CREW_PLAIN: Final = frozenset(
    {
        *("entity_type", "name", "tasks", "agents", "process", "verbose", "cache", "id", "share_crew"),
        *("usage_metrics", "token_usage", "execution_logs", "security_config", "tracing", "chat_llm"),
        *("execution_context", "checkpoint_inputs", "checkpoint_train", "checkpoint_kickoff_event_id"),
        *("planning_llm", "embedder", "parent_flow", "stream", "output_log_file"),
    }
)


def explain_native(crew: Any, tasks: Mapping[str, Any], agents: Mapping[str, Any]) -> list[str]:
    """Return why the engine cannot run the crew as CrewAI would, a sentence each; none: it can."""
    because: list[str] = []
    if str(getattr(crew.process, "value", crew.process)) != "sequential":
        because.append("The crew is led by a manager, who hands out the work.")
    because += _list_differences("The crew", crew, "Crew", _CREW_PLAIN | {"manager_llm", "manager_agent"})
    for id_, agent in agents.items():
        because += _list_differences(f"The agent {id_}", agent, "Agent", _AGENT_PLAIN)
        because += _explain_llm(f"The agent {id_}", getattr(agent, "llm", None))
    for id_, task in tasks.items():
        is_conditional = type(task).__name__ == "ConditionalTask"
        kind = "ConditionalTask" if is_conditional else "Task"
        if is_conditional:
            because.append(f"The task {id_} runs on a condition that is Python code.")
        because += _list_differences(f"The task {id_}", task, kind, _TASK_PLAIN | _inherited(task))
        if task.agent is None:
            because.append(f"The task {id_} has no agent of its own.")
        if any("{{" in text for text in list_texts(task)):
            because.append(f"The task {id_} has double braces, which CrewAI fills in another way.")
    return list(dict.fromkeys(because))


def _inherited(task: Any) -> set[str]:
    """Return `tools` where they are only those of the agent, which CrewAI copies: told once is enough."""
    own, agents = task.tools or [], getattr(task.agent, "tools", None) or []
    is_copied = len(own) == len(agents) and all(one is other for one, other in zip(own, agents, strict=True))
    return {"tools", "condition"} if is_copied else {"condition"}


def _list_differences(who: str, part: Any, kind: str, plain: Iterable[str]) -> list[str]:
    """Say what a part has that is neither plain nor its field's default."""
    found = type(part)
    if found.__name__ != kind or not found.__module__.startswith("crewai."):
        return [f"{who} is a {found.__name__}, a class of its own."]
    said = []
    for name, field in found.model_fields.items():
        if name in plain:
            continue
        value = part.__dict__.get(name)  # read as an attribute, a deprecated field warns
        default = field.get_default(call_default_factory=True)
        if name.endswith("_kickoff_callbacks") and all(_is_theirs(each) for each in value or ()):
            continue  # a @CrewBase class closes its MCP servers so, whether it has any or not
        if value is default or value == default or (not value and not default):
            continue
        said.append(f"{who} {_SAID.get(name, f'has {name}, which is for CrewAI')}.")
    return said


def _is_theirs(callback: Any) -> bool:
    """Say whether CrewAI put the callback there itself."""
    return str(getattr(unwrap(callback), "__module__", "")).startswith("crewai.")


def _explain_llm(who: str, llm: Any) -> list[str]:
    if llm is None or isinstance(llm, str):
        return []
    if not any(each.__name__ == "OpenAICompletion" for each in type(llm).__mro__) or not type(
        llm
    ).__module__.startswith("crewai."):
        return [f"{who} has a model of the class {type(llm).__name__}, which the server does not speak to."]
    extra = ("response_format", "interceptor", "additional_params", "builtin_tools", "instructions")
    said = [
        f"{who} has a model with {name}, which is not written down."
        for name in extra
        if getattr(llm, name, None)
    ]
    if getattr(llm, "api", "completions") != "completions":
        said.append(f"{who} has a model that is called through another interface than chat completions.")
    return said
