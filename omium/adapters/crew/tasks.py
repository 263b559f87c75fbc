"""Tasks as steps: what a crew's task returned is durable before the next task begins.

Owns what a task's step is called, what it was given (which tells whether a record belongs to it), and what
has to be put back into the task and its agent where the record stands for the work.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from crewai import TaskOutput

from omium.adapters.crew.codec import restore_task_output
from omium.adapters.crew.plain import make_plain
from omium.adapters.crew.runs import Part, Run, arecord, find_place, record

Execute = Callable[[Any, Any, Any, Any], TaskOutput]
AsyncExecute = Callable[[Any, Any, Any, Any], Coroutine[Any, Any, TaskOutput]]


def run_task(original: Execute, task: Any, agent: Any, context: str | None, tools: Any) -> TaskOutput:
    """Run a task as a step of the current run; outside of one, just the task."""
    place = find_place()
    if place is None:
        return original(task, agent, context, tools)
    part = _describe(place[0], task, agent, context)
    output: TaskOutput = record(place, part, lambda: _named(original, task, agent, context, tools))
    return output


async def arun_task(
    original: AsyncExecute, task: Any, agent: Any, context: str | None, tools: Any
) -> TaskOutput:
    """As `run_task`."""
    place = find_place()
    if place is None:
        return await original(task, agent, context, tools)
    part = _describe(place[0], task, agent, context)

    async def node() -> TaskOutput:
        try:
            return await original(task, agent, context, tools)
        except Exception as error:
            _tell(error, task, agent)
            raise

    output: TaskOutput = await arecord(place, part, node)
    return output


def _named(original: Execute, task: Any, agent: Any, context: str | None, tools: Any) -> TaskOutput:
    try:
        return original(task, agent, context, tools)
    except Exception as error:
        _tell(error, task, agent)
        raise


def _tell(error: Exception, task: Any, agent: Any) -> None:
    """Say with the error whose it is: the step's path holds only the task's id."""
    about = " ".join(str(task.name or task.description).split())
    error.add_note(f"CrewAI: task {about[:120]!r} of agent {_role(task, agent)!r}")


def _describe(run: Run, task: Any, agent: Any, context: str | None) -> Part:
    crew = getattr(agent or task.agent, "crew", None)
    name, key = run.name_task(task, crew)
    given = {
        "agent": _role(task, agent),
        "description": task.description,
        "expected_output": task.expected_output,
        "context": context,
        "inputs": make_plain(getattr(crew, "_inputs", None)),
    }

    def load(recorded: Any) -> TaskOutput:
        """Leave the task as its own work would have left it."""
        task.agent = agent or task.agent
        task.prompt_context = context
        task.output = restore_task_output(recorded, task, task.agent)
        if task.agent is not None:
            task.processed_by_agents.add(task.agent.role)
        return task.output

    return Part(run.policy_of(name).options(name), given, _as_it_is, load, key)


def _as_it_is(output: TaskOutput) -> TaskOutput:
    return output


def _role(task: Any, agent: Any) -> str:
    return str(getattr(agent or task.agent, "role", "") or "").strip()
