"""Quiet: CrewAI keeps to itself while Omium runs it.

Owns the environment variables that CrewAI reads: its telemetry is off; its own tracing, its question whether
to trace, and its look for a newer version are off unless the environment says otherwise. Imported before it.
"""

from __future__ import annotations

import os


def keep_quiet() -> None:
    """Turn off what CrewAI sends to others by itself. Called twice it changes nothing."""
    os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")
    os.environ.setdefault("CREWAI_DISABLE_VERSION_CHECK", "true")
