"""Native edits: what a stored spec may change of the object that a worker serves, and what it may not.

A native spec describes code. Its policies (retry, timeout_s, concurrency, breaker, effect, checkpoint) and
whatever an adapter's `apply_spec` puts into a copy (prompts) can be edited; the graph itself, and all else
that only the code decides, cannot. Found by comparison: of the spec with what the object exports, and of
what the copy exports with the spec. Whatever an adapter does not follow is refused, so nothing is ignored
silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from omium.adapters.applied import Applied
from omium.adapters.recorded import StepPolicy
from omium.errors import ConfigError
from omium.redact import REDACTED
from omium.retry import RetryPolicy
from omium.sdk.options import Concurrency
from omium.spec.changes import FieldChange, SpecChange, diff_specs
from omium.spec.document import Node, Spec

_POLICIES: Final = ("/retry", "/timeout_s", "/concurrency", "/breaker", "/effect", "/checkpoint")
_WORDS: Final = ("/name", "/description", "/version", "/runtime/entrypoint", "/runtime/queue")
_INPUTS: Final = "/inputs"
"""What a start is judged by is the server's, as the engine does it: the object is given what fits."""
_TOLD_MAX: Final = 5
_REMEDY: Final = (
    "Change the code and export it again (omium export PATH.py:OBJECT --import), or undo the edit."
)


def refuse_other_code(exported: Spec, stored: Spec, told: str) -> bool:
    """Raise `ConfigError` where the graph of `stored` is not the one that the object has.

    Returns whether something else than words and policies was edited: then the copy must be looked at.
    """
    changes = diff_specs(exported, stored)
    found = [sentence for change in changes for sentence in _list_other_graph(change)]
    if found:
        raise _refusal(told, found)
    return any(_is_told(change, field) for change in changes for field in change.fields)


def refuse_unfollowed(applied: Spec, stored: Spec, told: str, *, policies: bool = False) -> None:
    """Raise `ConfigError` where `stored` says what the copy, which exports `applied`, does not do.

    With `policies` these are compared, too: of a framework whose nodes a spec gives none.
    """
    found = [
        f"{_thing(change)} cannot be given another {field.pointer.strip('/') or 'value'} by a spec"
        for change in diff_specs(applied, stored)
        for field in change.fields
        if _is_told(change, field) or (policies and _is_policy(change, field))
    ]
    if found:
        raise _refusal(told, found)


def refuse_redacted(exported: Spec, stored: Spec) -> None:
    """Raise `ConfigError` where an edit holds what stands for a secret that was not exported."""
    for change in diff_specs(exported, stored):
        for field in change.fields:
            if REDACTED in str(field.after):
                raise ConfigError(
                    f"{field.pointer.strip('/')} of {_thing(change)} holds {REDACTED}, which stands for a"
                    " secret that was not exported: write the text without it."
                )


def _list_other_graph(change: SpecChange) -> Iterator[str]:
    if change.what == "breaker" or (change.what == "spec" and change.kind == "changed"):
        return
    if change.kind == "added":
        yield f"{_thing(change)} is not in the code that is served here"
    elif change.kind == "removed":
        yield f"{_thing(change)} is in the code that is served here, and not in that version"
    elif change.what in ("edge", "loop"):
        yield from (
            f"{_thing(change)} has another {field.pointer.strip('/')} than the code that is served here"
            for field in change.fields
            if _is_told(change, field)
        )
    else:
        yield from (
            f"{_thing(change)} is of another type than in the code that is served here"
            for field in change.fields
            if field.pointer == "/type"
        )


def _is_told(change: SpecChange, field: FieldChange) -> bool:
    """Say whether a field means something for what runs, and is no policy."""
    if change.what == "breaker" or "/x-" in field.pointer or field.pointer.endswith("/source"):
        return False
    if _is_policy(change, field) or is_of_inputs(change, field):
        return False
    return not (change.what in ("spec", "node") and field.pointer in _WORDS)


def _is_policy(change: SpecChange, field: FieldChange) -> bool:
    return change.what == "node" and any(
        field.pointer == each or field.pointer.startswith(f"{each}/") for each in _POLICIES
    )


def is_of_inputs(change: SpecChange, field: FieldChange) -> bool:
    """Say whether a field is of the schema that inputs are judged by when an execution starts."""
    return change.what == "spec" and (field.pointer == _INPUTS or field.pointer.startswith(f"{_INPUTS}/"))


def _thing(change: SpecChange) -> str:
    return f"the {change.what} {change.id}".rstrip() if change.what != "spec" else "the workflow"


def _refusal(told: str, found: list[str]) -> ConfigError:
    return ConfigError(f"{told} cannot be run: {name_all(found)}. {_REMEDY}")


def name_all(found: Sequence[str]) -> str:
    """Return the sentences of differences as one: the first five, and how many there are beside them."""
    more = f"; and {len(found) - _TOLD_MAX} more" if len(found) > _TOLD_MAX else ""
    return f"{'; '.join(found[:_TOLD_MAX])}{more}"


def asks_policy(node: Node) -> bool:
    """Say whether a node of a stored spec asks for a policy."""
    return (
        node.retry is not None
        or node.timeout_s is not None
        or node.concurrency is not None
        or node.checkpoint is not None
        or bool(node.breaker or node.effect)
    )


def edit_policies(
    applied: Applied[Any], nodes: Iterable[tuple[Node, tuple[str, ...]]]
) -> dict[str, StepPolicy]:
    """Return the policies of `applied` with what `nodes` of a stored spec ask for.

    Behind each node are its keys: its policy stands under the first of them, on top of what holds for them
    now. Raises `ConfigError` where a policy contradicts itself.
    """
    policies = dict(applied.policies)
    for node, keys in nodes:
        if asks_policy(node):
            policies[keys[0]] = edit_policy(applied.find_policy(*keys), node)
            policies[keys[0]].options(keys[0])  # what contradicts each other is told here
    return policies


def edit_policy(policy: StepPolicy, node: Node) -> StepPolicy:
    """Return `policy` with what `node` of a stored spec says, which wins field by field."""
    record, schema = policy.record, policy.output_schema
    if node.checkpoint is not None:
        record, schema = read_checkpoint(node)
    return StepPolicy(
        retry=RetryPolicy.from_json(node.retry.form()) if node.retry is not None else policy.retry,
        timeout_s=node.timeout_s if node.timeout_s is not None else policy.timeout_s,
        breaker=node.breaker or policy.breaker,
        concurrency=read_concurrency(node) or policy.concurrency,
        effect=node.effect or policy.effect,
        record=record,
        output_schema=schema,
    )


def read_concurrency(node: Node) -> Concurrency | None:
    """Return the concurrency key that `node` of a stored spec asks for."""
    return None if node.concurrency is None else Concurrency(node.concurrency.key, node.concurrency.limit)


def read_checkpoint(node: Node) -> tuple[bool, dict[str, Any] | None]:
    """Return whether what `node` of a stored spec gives is recorded, and the JSON Schema that it must fit."""
    if node.checkpoint is None:
        return True, None
    is_judged = node.checkpoint.enabled and node.checkpoint.payload
    return node.checkpoint.enabled, dict(node.checkpoint.payload) if is_judged else None
