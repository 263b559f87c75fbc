"""Omium: the reliability operating system for multi-agent AI, self-hosted.

Owns the public names of the SDK, loaded lazily (PEP 562) so that `import omium` costs next to nothing beside
the framework that it is imported next to. Holds no logic. Where to look next: `omium.errors` for everything
that can be raised, `docs/sdk.md` for the SDK, `docs/architecture.md` for the house.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omium.errors import (
        AgentCircling,
        Cancelled,
        ConfigError,
        ConnectionLost,
        EffectNotApplied,
        LeaseLost,
        OmiumError,
        Problem,
        StepFailed,
        StepTimeout,
        Suspended,
    )
    from omium.retry import RetryPolicy
    from omium.sdk.async_client import AsyncClient
    from omium.sdk.current import (
        acheckpoint,
        capture_failure,
        checkpoint,
        effect_key,
        execution_id,
        load_checkpoint,
        record_usage,
    )
    from omium.sdk.decorators import step, workflow
    from omium.sdk.execution import Execution, start_execution
    from omium.sdk.handlers import handler
    from omium.sdk.options import Concurrency
    from omium.sdk.run import areplay, aresume, arun_workflow, replay, resume, run_workflow
    from omium.sdk.session import init
    from omium.sdk.signals import await_for_signal, wait_for_signal
    from omium.sdk.sync_client import Client
    from omium.sdk.task_context import TaskContext
    from omium.sdk.tool_calls import ToolCalls

__version__ = "0.1.0"

_PLACES = {
    "AgentCircling": "omium.errors",
    "Cancelled": "omium.errors",
    "ConfigError": "omium.errors",
    "ConnectionLost": "omium.errors",
    "EffectNotApplied": "omium.errors",
    "LeaseLost": "omium.errors",
    "OmiumError": "omium.errors",
    "Problem": "omium.errors",
    "StepFailed": "omium.errors",
    "StepTimeout": "omium.errors",
    "Suspended": "omium.errors",
    "RetryPolicy": "omium.retry",
    "acheckpoint": "omium.sdk.current",
    "capture_failure": "omium.sdk.current",
    "checkpoint": "omium.sdk.current",
    "effect_key": "omium.sdk.current",
    "execution_id": "omium.sdk.current",
    "load_checkpoint": "omium.sdk.current",
    "record_usage": "omium.sdk.current",
    "step": "omium.sdk.decorators",
    "workflow": "omium.sdk.decorators",
    "Execution": "omium.sdk.execution",
    "start_execution": "omium.sdk.execution",
    "handler": "omium.sdk.handlers",
    "Concurrency": "omium.sdk.options",
    "areplay": "omium.sdk.run",
    "aresume": "omium.sdk.run",
    "arun_workflow": "omium.sdk.run",
    "replay": "omium.sdk.run",
    "resume": "omium.sdk.run",
    "run_workflow": "omium.sdk.run",
    "init": "omium.sdk.session",
    "await_for_signal": "omium.sdk.signals",
    "wait_for_signal": "omium.sdk.signals",
    "AsyncClient": "omium.sdk.async_client",
    "Client": "omium.sdk.sync_client",
    "TaskContext": "omium.sdk.task_context",
    "ToolCalls": "omium.sdk.tool_calls",
}

__all__ = [
    "AgentCircling",
    "AsyncClient",
    "Cancelled",
    "Client",
    "Concurrency",
    "ConfigError",
    "ConnectionLost",
    "EffectNotApplied",
    "Execution",
    "LeaseLost",
    "OmiumError",
    "Problem",
    "RetryPolicy",
    "StepFailed",
    "StepTimeout",
    "Suspended",
    "TaskContext",
    "ToolCalls",
    "__version__",
    "acheckpoint",
    "areplay",
    "aresume",
    "arun_workflow",
    "await_for_signal",
    "capture_failure",
    "checkpoint",
    "effect_key",
    "execution_id",
    "handler",
    "init",
    "load_checkpoint",
    "record_usage",
    "replay",
    "resume",
    "run_workflow",
    "start_execution",
    "step",
    "wait_for_signal",
    "workflow",
]


def __getattr__(name: str) -> object:
    if name == "adapters":  # `omium.adapters.crew` without an import of its own
        return importlib.import_module("omium.adapters")
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'omium' has no attribute {name!r}")
    value = getattr(importlib.import_module(place), name)
    globals()[name] = value  # the next use finds it without asking
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
