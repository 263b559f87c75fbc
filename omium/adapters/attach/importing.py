"""Importing: a recorded run as the server takes it, within the server's bounds.

Loads the wire types, which `omium attach` without `--import` does not need.
"""

from __future__ import annotations

from typing import Final

from omium.adapters.attach.plain import clean_text
from omium.adapters.attach.runs import RecordedError, RecordedRun, RunState
from omium.jsonvalue import digest
from omium.models.imports import (
    STATES_MAX,
    STEPS_MAX,
    ImportedError,
    ImportedState,
    ImportedStatus,
    ImportedStep,
    ImportedUsage,
    ImportRun,
)

_NAME_MAX: Final = 200
_STATUSES: Final = {RunState.FINISHED: ImportedStatus.COMPLETED, RunState.FAILED: ImportedStatus.FAILED}


def make_import(recorded: RecordedRun, *, workflow: str = "", with_values: bool = True) -> ImportRun:
    """Return `recorded` as what the server is sent; without values: no inputs, outputs and states.

    `workflow` goes before the name that the store has; where neither is there, it is the framework's.
    """
    run, cut = recorded.run, max(len(recorded.steps) - STEPS_MAX, 0)
    return ImportRun(
        framework=run.framework,
        identity=digest(f"{run.framework}\n{recorded.identity}".encode(errors="replace")),
        run_id=_name(run.run_id, "(no name)"),
        workflow=_name(workflow or run.workflow, run.framework),
        status=_STATUSES.get(run.state, ImportedStatus.OPEN),
        started_at_us=recorded.started_us,
        updated_at_us=recorded.updated_us,
        input=recorded.input if with_values else None,
        output=recorded.output if with_values else None,
        error=_error(RecordedError(run.error_type, run.error_message))
        if run.state is RunState.FAILED
        else None,
        steps=tuple(
            ImportedStep(
                name=_name(step.name, "step"),
                started_at_us=step.started_us,
                ended_at_us=step.ended_us,
                input=step.input if with_values else None,
                output=step.output if with_values else None,
                error=_error(step.error) if step.error is not None else None,
            )
            for step in recorded.steps[-STEPS_MAX:]
        ),
        states=tuple(
            ImportedState(name=_name(state.name, "state"), at_us=state.at_us, state=state.state)
            for state in recorded.states[-STATES_MAX:]
        )
        if with_values
        else (),
        usage=tuple(
            ImportedUsage(
                at_us=call.at_us,
                step=call.step - cut if call.step is not None and call.step >= cut else None,
                model=clean_text(call.model)[:_NAME_MAX],
                input_tokens=call.input_tokens,
                output_tokens=call.output_tokens,
                cached_tokens=call.cached_tokens,
                cache_write_tokens=call.cache_write_tokens,
                reasoning_tokens=call.reasoning_tokens,
            )
            for call in recorded.usage[-STEPS_MAX:]
        ),
    )


def _error(error: RecordedError) -> ImportedError:
    return ImportedError(type=_name(error.type, "Error"), message=clean_text(error.message))


def _name(text: str, otherwise: str) -> str:
    return clean_text(text)[:_NAME_MAX].strip() or otherwise
