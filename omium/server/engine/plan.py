"""Replay plans: per recorded step reuse, re-run or blocked, with the reason in words. Pure.

    prefix       reuses what was completed before a point in the source's log
    incremental  reuses what has the same inputs; the driver's own look-up checks that when it runs

For code workflows a plan is a forecast: what a function reads besides its arguments is not known. What it
promises is that no effect happens a second time without a decision. Reading the source is `read_source`;
starting the replay is replay.py, the token plan_token.py. Rules: semantics 2.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from omium.errors import InvalidRequest
from omium.models.replay import Decision, PlannedStep, PlanReplay
from omium.server.engine.source import Source
from omium.server.engine.spec_plan import refuse_state_edits, sharpen
from omium.server.engine.verdicts import Plan, Verdict
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.steps import StepRow
from omium.states import EffectDecision, EffectState, StepStatus

START = ""
ALL = 2**62

_OPEN_STATES = frozenset({EffectState.UNKNOWN, EffectState.INTENDED})


def make_plan(source: Source, command: PlanReplay) -> Plan:
    """Return the plan; `InvalidRequest` for an edit, decision or starting point that is not in the source."""
    if source.pinned is not None:
        refuse_state_edits(command)
    _refuse_unknown(source, command)
    plan = Plan(source, command, _find_cutoff(source, command))
    edited = {edit.path for edit in command.edits if edit.target == "output"}
    decided = {decision.path: decision for decision in command.decisions}
    rerun_before = plan.cutoff == 0
    verdicts: list[Verdict] = []
    for path in _order(source, edited):
        step = source.steps.get(path)
        if path in edited:
            verdict = Verdict(path, "reuse", "its output was edited", step, edited=True)
        elif path in source.effects:
            verdict = _judge_effect(plan, path, step, decided.get(path), rerun_before=rerun_before)
        else:
            assert step is not None
            verdict = _judge_step(plan, step, rerun_before=rerun_before)
        rerun_before = rerun_before or verdict.disposition != "reuse" or verdict.edited
        verdicts.append(verdict)
    plan = Plan(source, command, plan.cutoff, verdicts)
    if source.pinned is None:
        return plan
    return Plan(source, command, plan.cutoff, sharpen(plan, source.pinned))


def _order(source: Source, edited: set[str]) -> list[str]:
    """Return every path, completed ones in the order of their completion, the others after them."""
    paths = {path: step.completed_seq or ALL for path, step in source.steps.items()}
    for path in [*source.effects, *edited]:
        paths.setdefault(path, ALL)
    return sorted(paths, key=lambda path: (paths[path], path))


# ---- where the reuse ends


def _find_cutoff(source: Source, command: PlanReplay) -> int:
    """Return the event from which on nothing is taken over as it is, in prefix mode."""
    cutoffs = [ALL, *(source.seq_at(path) for path in command.force)]
    if command.from_step is not None:
        cutoffs.append(0 if command.from_step == START else source.seq_at(command.from_step))
    elif source.native is not None:
        paths = {*source.steps, *source.tried}
        cutoffs.extend(source.seq_at(path) for path in paths if source.native.is_changed(path))
    for edit in command.edits:
        if edit.target == "input":
            cutoffs.append(0)
        elif edit.target == "output":
            cutoffs.append(source.seq_at(edit.path) + 1)
        else:
            cutoffs.append(source.get_checkpoint(edit.path).seq + 1)
    redone = [each.path for each in command.decisions if each.decision is EffectDecision.REDO]
    cutoffs.extend(source.seq_at(path) for path in redone)
    return min(cutoffs)


def _refuse_unknown(source: Source, command: PlanReplay) -> None:
    known = source.steps.keys() | source.effects.keys()
    named = [edit.path for edit in command.edits if edit.target == "output"]
    named += [decision.path for decision in command.decisions] + list(command.force)
    named += [command.from_step] if command.from_step else []
    for path in named:
        if path not in known:
            raise InvalidRequest(
                f"{source.row.id} has no step {path!r}; `omium executions show` lists its steps."
            )
    for decision in command.decisions:
        if decision.path not in source.effects:
            raise InvalidRequest(f"{decision.path!r} is no effect, so there is nothing to decide about it.")
    if len({(edit.target, edit.path) for edit in command.edits}) < len(command.edits):
        raise InvalidRequest("Two edits change the same thing; send one of them.")
    decided = {decision.path: decision for decision in command.decisions}
    for edit in command.edits:
        if edit.target == "output":
            _refuse_inapplicable(source, edit.path, decided.get(edit.path))


def _refuse_inapplicable(source: Source, path: str, decision: Decision | None) -> None:
    """Refuse an edit of an output that the replay could not begin with: it would be dropped in silence."""
    effect = source.effects.get(path)
    if effect is not None and decision is not None:
        raise InvalidRequest(
            f"The effect {path!r} is decided and edited in one replay; send one of the two. A decision to"
            " confirm or skip takes the output that the following steps read."
        )
    if effect is not None and effect.state in _OPEN_STATES and not effect.compensated:
        raise InvalidRequest(
            f"Nobody knows whether the effect {path!r} happened, and an edited output does not say so: decide"
            " to confirm or skip it, with that output."
        )
    if path not in source.steps:
        raise InvalidRequest(
            f"{source.row.id} has no record of {path!r} whose output could be edited, only the effect, which"
            f" is {effect.state if effect else 'unknown'}; resume it until the step is recorded, then replay."
        )


# ---- one path


def _judge_step(plan: Plan, step: StepRow, *, rerun_before: bool) -> Verdict:
    path = step.path
    if step.status != StepStatus.COMPLETED:
        return Verdict(path, "rerun", "it failed" if step.status == StepStatus.FAILED else "it had not ended")
    if (reason := _asked_to_run(plan, path)) is not None:
        return Verdict(path, "rerun", reason)
    if plan.command.mode != "incremental":
        assert step.completed_seq is not None
        if step.completed_seq < plan.cutoff:
            return Verdict(path, "reuse", "it was completed before that point", step)
        if plan.source.native is not None and plan.source.native.is_changed(path):
            return Verdict(path, "rerun", f"version {plan.source.version} defines it otherwise")
        return Verdict(path, "rerun", "it was completed after that point")
    if not rerun_before:
        return Verdict(path, "reuse", "nothing before it changes", step)
    if step.comparable == "full":
        return Verdict(path, "reuse", "as long as its inputs turn out to be the same", step)
    return Verdict(path, "rerun", "its inputs cannot be compared, and something before it runs again")


def _asked_to_run(plan: Plan, path: str) -> str | None:
    command = plan.command
    start = command.from_step
    if path in command.force:
        return "you asked for it"
    if start and (path == start or path.startswith(f"{start}/")):
        return "the replay begins here"
    if start == START:
        return "the replay begins at the start"
    return None


def _judge_effect(
    plan: Plan, path: str, step: StepRow | None, decision: Decision | None, *, rerun_before: bool
) -> Verdict:
    effect = plan.source.effects[path]
    record = step if step is not None and step.status == StepStatus.COMPLETED else None
    if decision is not None and decision.decision is EffectDecision.REDO:
        return Verdict(path, "rerun", "you decided to do it again")
    if effect.compensated:
        return Verdict(path, "rerun", "a rollback has compensated it, so it happens again")
    match EffectState(effect.state):
        case EffectState.DONE | EffectState.SKIPPED as state:
            if path in plan.command.force:
                return Verdict(path, "blocked", f"it is {state.value}; to do it again, decide `redo`")
            kept = _judge_step(plan, record, rerun_before=rerun_before) if record is not None else None
            if kept is not None and kept.record is not None:
                return kept
            return Verdict(path, "reuse", f"it is {state.value}, and not called again; other inputs block it")
        case EffectState.NOT_APPLIED:
            return Verdict(path, "rerun", "it certainly did not happen")
        case EffectState.INTENDED if effect.mode == "idempotent":
            return Verdict(path, "rerun", "its receiver honours the key, so it may be called again")
        case EffectState.UNKNOWN | EffectState.INTENDED:
            if decision is not None:
                return Verdict(path, "reuse", f"you decided to {decision.decision.value} it")
            return Verdict(path, "blocked", "nobody knows whether it happened: confirm, redo or skip it")


def planned_steps(plan: Plan, costs: Mapping[str, int | None] | None = None) -> list[PlannedStep]:
    """Return the plan's lines as they travel; `costs` are micro-credits by path."""
    costs = costs or {}
    return [_line(plan.source, verdict, costs.get(verdict.path)) for verdict in plan.verdicts]


def _line(source: Source, verdict: Verdict, microcredits: int | None) -> PlannedStep:
    step = source.steps.get(verdict.path)
    effect = source.effects.get(verdict.path)
    return PlannedStep(
        path=verdict.path,
        name=step.name if step else verdict.path.rsplit("/", 1)[-1],
        disposition=verdict.disposition,
        reason=verdict.reason,
        effect=effect is not None,
        effect_state=effect.state if effect else None,
        edited=verdict.edited,
        spent_us=max(step.ended_us - step.started_us, 0) if step else 0,
        usage_tokens=source.tokens.get(verdict.path, 0),
        estimated_microcredits=microcredits,
    )


def newest_checkpoints(plan: Plan) -> Mapping[str, CheckpointRow]:
    """Return the newest state of each name that the new execution begins with."""
    kept = plan.cutoff if plan.command.mode != "incremental" else ALL
    edited = {plan.source.get_checkpoint(e.path).id for e in plan.command.edits if e.target == "state"}
    return {saved.name: saved for saved in plan.source.checkpoints if saved.seq < kept or saved.id in edited}
