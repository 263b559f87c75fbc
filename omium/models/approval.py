"""Signals and approvals: what people and other systems say to an execution that waits for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omium.models.wire import Command, Json, Name, Path, Reply
from omium.states import Environment


class SendSignal(Command):
    """Tell an execution something by name; a `wait` node of that signal takes it, now or later."""

    name: Name
    """As the node names it in `parameters.signal`."""
    signal_id: Annotated[str, Field(min_length=1, max_length=200)]
    """Made by the sender: the same id of a name is one signal, however often it's sent."""
    payload: Json = None
    """What the node gives: tagged JSON."""


class SignalSent(Reply):
    """What became of a signal."""

    name: str
    signal_id: str
    fresh: bool
    """Whether it came for the first time."""
    taken_by: str | None
    """The node that has taken it; None while none has asked for it."""


class AwaitedSignal(Command):
    """A signal that an execution waits for."""

    name: Name
    """As it is sent."""
    question: Json = None
    """What whoever sends it should know."""


class SignalAnswer(Reply):
    """A signal that a step has been given; `payload` is tagged JSON."""

    signal_id: str
    payload: Json = None


class Approval(Reply):
    """A node that waits for a person."""

    execution_id: str
    path: str
    node: str
    workflow: str
    environment: Environment
    message: str
    inputs: Json
    """What the node was given; None where that is long."""
    asked_at_us: int
    expires_at_us: int | None
    default: str | None
    """What is decided when it expires; None: the node fails."""


class DecideApproval(Command):
    """Approve or reject what waits."""

    path: Path
    """Of the node, as the list of approvals shows it."""
    decision: Literal["approved", "rejected"]
    """What was decided; the workflow says what follows."""
    comment: Annotated[str, Field(max_length=2_000)] = ""
    """Kept with the decision."""


class ApprovalDecided(Reply):
    """A decision, and how the execution stands after it."""

    execution_id: str
    path: str
    decision: str
    status: str
