"""A node of a workflow as a form: its prompts, its agent's words, its policies; and the document with them.

What the form does not hold stays as it is in the document. What was taken away is taken out of the document.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from omium.jsonvalue import JsonValue, parse_json
from omium.tui.checks import object_or_nothing, whole_number
from omium.tui.dialogs import Field
from omium.words import json_text

_WHOLE: Final = "a whole number"
_CHECK_WHOLE: Final = whole_number("This is a whole number, or empty.")
_AGENT: Final = (("role", "Role"), ("goal", "Goal"), ("backstory", "Backstory"))
_RETRY: Final = (
    ("max_attempts", "Attempts in all", _WHOLE, "1 means no retry; 3 by default."),
    ("initial_delay_s", "Seconds before the second", "a number", ""),
    ("multiplier", "Times longer after each", "a number", ""),
    ("max_delay_s", "Seconds at most between two", "a number", ""),
)


class NodeForm:
    """The form of the node at `path` (inside of maps `each/sum`); raises `KeyError` if there is none."""

    def __init__(self, document: JsonValue, path: str) -> None:
        self._document: Any = document
        self.path = path
        node = find_node(self._document, path)
        if node is None:
            raise KeyError(path)
        self._node = node

    def fields(self) -> list[Field]:
        """Return what can be changed in a form."""
        return [*self._list_prompts(), *self._list_agent(), *self._list_policies()]

    def apply(self, values: Mapping[str, str]) -> JsonValue:
        """Return the document with what was typed."""
        document = copy.deepcopy(self._document)
        node = find_node(document, self.path)
        assert node is not None
        for at, name in enumerate(self._prompt_names()):
            node["parameters"][name] = values[f"prompt-{at}"]
        if self._agent is not None:
            agent = document["agents"][self._node["agent"]]
            for name, _ in _AGENT:
                _put(agent, name, values[f"agent-{name}"] or None)
        _put(node, "timeout_s", _number(values["timeout_s"]))
        _put(node, "breaker", values["breaker"].strip() or None)
        self._apply_retry(node, values)
        self._apply_concurrency(node, values)
        self._apply_checkpoint(node, values)
        return document  # type: ignore[no-any-return]  # a copy of what it was made of

    # ------------------------------------------------------------------------------ fields
    @property
    def _agent(self) -> dict[str, Any] | None:
        found = self._document.get("agents", {}).get(self._node.get("agent"))
        return found if isinstance(found, dict) else None

    def _prompt_names(self) -> list[str]:
        return [
            name
            for name, each in self._node.get("parameters", {}).items()
            if isinstance(each, str) and name != "handler"
        ]

    def _list_prompts(self) -> Iterator[Field]:
        for at, name in enumerate(self._prompt_names()):
            label = name.replace("_", " ").capitalize()
            yield Field(f"prompt-{at}", label, value=self._node["parameters"][name], kind="lines")

    def _list_agent(self) -> Iterator[Field]:
        for name, label in _AGENT if self._agent is not None else ():
            title = f"{label} of the agent {self._node['agent']}"
            yield Field(f"agent-{name}", title, value=str(self._agent.get(name, "")), kind="lines")  # type: ignore[union-attr]

    def _list_policies(self) -> Iterator[Field]:
        node = self._node
        retry, concurrency = node.get("retry") or {}, node.get("concurrency") or {}
        yield Field(
            "timeout_s", "Timeout in seconds", value=_shown(node.get("timeout_s")), check=_check_number
        )
        for name, label, placeholder, help_text in _RETRY:
            check = _CHECK_WHOLE if placeholder == _WHOLE else _check_number
            value = _shown(retry.get(name))
            yield Field(f"retry-{name}", label, value, placeholder, help_text, check=check)
        lists = "With commas: names of errors, codes, statuses such as 429 or 5xx."
        yield Field("retry-retry_on", "Retried are only", _join(retry.get("retry_on")), help=lists)
        yield Field("retry-give_up_on", "Never retried are", _join(retry.get("give_up_on")), help=lists)
        yield Field(
            "concurrency-key",
            "Concurrency key",
            value=str(concurrency.get("key", "")),
            help="A limit that all executions share under this word.",
        )
        yield Field(
            "concurrency-limit",
            "At the same time",
            value=_shown(concurrency.get("limit")),
            check=_CHECK_WHOLE,
        )
        yield Field("breaker", "Circuit breaker", value=str(node.get("breaker") or ""))
        checkpoint = node.get("checkpoint")
        yield Field(
            "checkpoint",
            "Checkpoint",
            value=_checkpoint_word(checkpoint),
            kind="choice",
            choices=("by default", "always", "never"),
            required=True,
        )
        payload = checkpoint.get("payload") if isinstance(checkpoint, dict) else None
        yield Field(
            "checkpoint-payload",
            "Shape of the checkpoint",
            value=json_text(payload, indent=2) if payload else "",
            kind="lines",
            help="A JSON Schema; an output of another shape fails the node.",
            check=object_or_nothing,
        )

    # ------------------------------------------------------------------------------ and back
    def _apply_retry(self, node: dict[str, Any], values: Mapping[str, str]) -> None:
        retry = dict(node.get("retry") or {})
        for name, *_ in _RETRY:
            _put(retry, name, _number(values[f"retry-{name}"]))
        for name in ("retry_on", "give_up_on"):
            if values[f"retry-{name}"] != _join(retry.get(name)):
                _put(retry, name, _split(values[f"retry-{name}"]) or None)
        _put(node, "retry", retry or None)

    def _apply_concurrency(self, node: dict[str, Any], values: Mapping[str, str]) -> None:
        key, limit = values["concurrency-key"].strip(), _number(values["concurrency-limit"])
        given = {**(node.get("concurrency") or {}), "key": key, "limit": limit}
        _put(node, "concurrency", {name: each for name, each in given.items() if each} or None)

    def _apply_checkpoint(self, node: dict[str, Any], values: Mapping[str, str]) -> None:
        checkpoint = dict(node.get("checkpoint") or {})
        if values["checkpoint"] != _checkpoint_word(node.get("checkpoint")):
            enabled = {"always": True, "never": False}.get(values["checkpoint"])
            _put(checkpoint, "enabled", enabled)
        payload = values["checkpoint-payload"].strip()
        _put(checkpoint, "payload", parse_json(payload) if payload else None)
        wanted = checkpoint or None
        if values["checkpoint"] == "by default" and wanted is None:
            node.pop("checkpoint", None)
        else:
            _put(node, "checkpoint", wanted)


def find_node(body: Any, path: str) -> dict[str, Any] | None:
    """Return the node at a path; None if there is none."""
    name, _, rest = path.partition("/")
    nodes = body.get("nodes", ()) if isinstance(body, dict) else ()
    found = next((each for each in nodes if isinstance(each, dict) and each.get("id") == name), None)
    if found is None or not rest:
        return found
    return find_node(found.get("body"), rest)


def _put(holder: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        holder.pop(name, None)
    else:
        holder[name] = value


def _checkpoint_word(checkpoint: Any) -> str:
    if not isinstance(checkpoint, dict):
        return "by default"
    return "never" if checkpoint.get("enabled") is False else "always"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _number(text: str) -> int | float | None:
    text = text.strip()
    if not text:
        return None
    return int(text) if text.isdecimal() else float(text)


def _join(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list | tuple) else ""


def _split(text: str) -> list[int | str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [int(part) if part.isdecimal() else part for part in parts]


def _check_number(text: str) -> str | None:
    try:
        found = _number(text)
    except ValueError:
        return "This is a number, or empty."
    return "This is not less than 0." if found is not None and not found >= 0 else None
