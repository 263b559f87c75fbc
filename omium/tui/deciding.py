"""Decisions of people: effects of which nobody knows the outcome, approvals, signals.

    approve(page, execution_id)           answer what an execution waits for
    decide(page, approval)                the same, where it is known
    decide_effect(page, execution_id)     confirm, redo or skip
    send_signal(page, execution_id)       tell an execution something by name

Each is a flow of dialogs that any page calls. What somebody else decided meanwhile is the server's answer, a
409, which is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Literal

from omium.ids import new_id
from omium.models.approval import (
    Approval,
    ApprovalDecided,
    AwaitedSignal,
    DecideApproval,
    SendSignal,
    SignalSent,
)
from omium.models.replay import DecideEffect, EffectView
from omium.models.wire import Page
from omium.states import EffectDecision, EffectState
from omium.tui.asking import Asking
from omium.tui.choosing import Choice, Choose
from omium.tui.content import safe
from omium.tui.dialogs import Field, Form
from omium.tui.going_on import resume
from omium.tui.json_edit import check_json, read_json
from omium.words import ago, json_text, now_us, value

_MEANS: Final = {
    EffectDecision.CONFIRM: "it happened, and is not done again",
    EffectDecision.REDO: "it did not happen, and is done again",
    EffectDecision.SKIP: "it is left out",
}
_SHOWN_LENGTH_MAX: Final = 2_000


# ------------------------------------------------------------------------------------------- effects
def decide_effect(page: Asking, execution_id: str, effect_key: str | None = None) -> None:
    """Ask what became of an effect whose outcome is unknown; then the execution can go on."""

    def found(effects: Page[EffectView]) -> None:
        undecided = [each for each in effects.items if is_undecided(each)]
        meant = [each for each in undecided if effect_key in (None, each.effect_key, each.key)]
        app = page.dashboard
        if not meant:
            app.notify("No effect of it waits for a decision.", severity="warning", markup=False)
        elif len(meant) == 1:
            _ask_about(page, meant[0])
        else:
            choices = [Choice(each.effect_key, each.key, _announced(each)) for each in meant]
            by_key = {each.effect_key: each for each in meant}
            app.push_screen(
                Choose("Which effect?", choices), lambda key: _ask_about(page, by_key[key]) if key else None
            )

    page.fetch(lambda: page.client.list_effects(execution_id, limit=200), found, name="decide-effect")


def is_undecided(effect: EffectView) -> bool:
    """Say whether nobody knows, or has said, whether the effect happened."""
    return effect.decided_by is None and effect.state in (EffectState.UNKNOWN, EffectState.INTENDED)


def decision_form(key: str, note: str) -> Form:
    """Return the form that asks what became of the effect of the step `key`."""
    means = "\n".join(f"{decision.value}: {meaning}" for decision, meaning in _MEANS.items())
    return Form(
        f"Did {key} happen?",
        [
            Field(
                "decision",
                "What became of it, or shall",
                kind="choice",
                choices=[each.value for each in EffectDecision],
                required=True,
                help=f"{means}\nIf it did happen, a redo does it twice.",
            ),
            Field(
                "output",
                "The step's result (JSON)",
                placeholder='{"charge_id": "ch_42"}',
                help="With confirm or skip; a redo makes its own.",
                check=check_json,
            ),
            Field("reason", "Why (it is kept)"),
        ],
        send="Decide",
        note=note,
    )


def read_decision(values: Mapping[str, str]) -> DecideEffect:
    """Return what was answered in `decision_form`."""
    decision = EffectDecision(values["decision"])
    output = None if decision is EffectDecision.REDO else read_json(values["output"])
    return DecideEffect(decision=decision, output=output, reason=values["reason"])


def _announced(effect: EffectView) -> str:
    return f"announced {ago(effect.intended_at_us, now_us())}, try {effect.attempt}"


def _ask_about(page: Asking, effect: EffectView) -> None:
    given = json_text(effect.input, indent=2)[:_SHOWN_LENGTH_MAX]
    note = f"It was {_announced(effect)}, with\n{given}\nand no answer came."

    def answered(values: Mapping[str, str] | None) -> None:
        if values is None:
            return
        command = read_decision(values)
        if command.decision is EffectDecision.REDO:
            page.ask(
                f"Do {effect.key} again?",
                "If it did happen, it happens twice.",
                partial(_decide_effect, page, effect, command),
                yes="Do it again",
            )
        else:
            _decide_effect(page, effect, command)

    page.dashboard.push_screen(decision_form(effect.key, note), answered)


def _decide_effect(page: Asking, effect: EffectView, command: DecideEffect) -> None:
    def decided(_: EffectView) -> None:
        page.load()
        choices = [Choice("resume", "Go on", "resume it now"), Choice("stay", "Stay here")]
        page.dashboard.push_screen(
            Choose(f"{effect.key}: {_MEANS[command.decision]}", choices),
            lambda key: resume(page, effect.execution_id) if key == "resume" else None,
        )

    page.act(
        f"Decide {effect.key} of {effect.execution_id}: {command.decision.value}",
        lambda: page.client.decide_effect(effect.execution_id, effect.effect_key, command),
        decided,
    )


# ------------------------------------------------------------------------------------------- approvals
def approve(page: Asking, execution_id: str) -> None:
    """Answer what an execution waits for; where several nodes wait, ask which."""

    async def list_own() -> list[Approval]:
        found = page.client.each(page.client.list_approvals, limit=200)
        return [each async for each in found if each.execution_id == execution_id]

    def found(waiting: list[Approval]) -> None:
        app = page.dashboard
        if not waiting:
            app.notify("Nothing in it waits for a person.", severity="warning", markup=False)
        elif len(waiting) == 1:
            decide(page, waiting[0])
        else:
            by_path = {each.path: each for each in waiting}
            choices = [Choice(each.path, each.path, each.message) for each in waiting]
            app.push_screen(
                Choose("Several wait. Which?", choices),
                lambda key: decide(page, by_path[key]) if key else None,
            )

    page.fetch(list_own, found, name="approve")


def decide(page: Asking, approval: Approval) -> None:
    """Show what a node asks and was given, and approve or reject it with a comment."""
    inputs = "(long; see the execution)" if approval.inputs is None else json_text(approval.inputs, indent=2)
    until = ""
    if approval.expires_at_us is not None:
        then = f"then it is {approval.default}" if approval.default else "then it fails"
        until = f"\nIt waits until {ago(approval.expires_at_us, now_us())}; {then}."
    details = (
        f"{approval.message}\n\n{approval.path} of {approval.workflow} was given\n"
        f"{inputs[:_SHOWN_LENGTH_MAX]}\n"
        f"Asked {ago(approval.asked_at_us, now_us())}.{until}"
    )
    fields = [
        Field("decision", "Decision", kind="choice", choices=["approved", "rejected"], required=True),
        Field("comment", "Comment (it is kept)"),
    ]
    form = Form(f"{safe(approval.node)} waits for a person", fields, send="Decide", note=details)

    def answered(values: Mapping[str, str] | None) -> None:
        if values is not None:
            decision: Literal["approved", "rejected"] = (
                "approved" if values["decision"] == "approved" else "rejected"
            )
            _decide(page, approval, decision, values["comment"])

    page.dashboard.push_screen(form, answered)


def _decide(
    page: Asking, approval: Approval, decision: Literal["approved", "rejected"], comment: str
) -> None:
    command = DecideApproval(path=approval.path, decision=decision, comment=comment)

    def decided(answer: ApprovalDecided) -> None:
        page.load()
        page.dashboard.notify(
            f"{safe(approval.path)} is {decision}; the execution is {answer.status}.", markup=False
        )

    page.act(
        f"{approval.path} of {approval.execution_id}: {decision}",
        lambda: page.client.decide_approval(approval.execution_id, command),
        decided,
    )


# ------------------------------------------------------------------------------------------- signals
def send_signal(page: Asking, execution_id: str, awaited: Sequence[AwaitedSignal] = ()) -> None:
    """Tell an execution something by name; a node or step that waits for it goes on."""
    name = awaited[0].name if awaited else ""
    asked = value(awaited[0].question) if awaited and awaited[0].question is not None else ""
    fields = [
        Field("name", "Signal, as the workflow names it", value=name, required=True),
        Field("payload", "What comes with it (JSON)", kind="lines", check=check_json),
        Field(
            "signal_id",
            "Id",
            placeholder="made for you",
            help="The same id is one signal, however often sent.",
        ),
    ]

    def answered(values: Mapping[str, str] | None) -> None:
        if values is None:
            return
        command = SendSignal(
            name=values["name"].strip(),
            signal_id=values["signal_id"].strip() or new_id("sg", now_us()),
            payload=read_json(values["payload"]),
        )
        page.act(
            f"Signal {command.name} to {execution_id}",
            lambda: page.client.send_signal(execution_id, command),
            sent,
        )

    def sent(answer: SignalSent) -> None:
        page.load()
        if answer.taken_by is not None:
            said = f"{answer.taken_by} has taken it."
        elif answer.fresh:
            said = f"It is kept until a node or step asks for {answer.name}."
        else:
            said = "It has it already."
        page.dashboard.notify(safe(said), markup=False)

    page.dashboard.push_screen(Form(f"Signal to {execution_id}", fields, note=asked), answered)
