"""Reading: a raw span to what is kept of it, and back from the row.

Owns `Span`, which everything behind it works on, and what makes a span impossible. No tenant, no database.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import fields
from typing import Final, cast

from omium.clock import US_PER_S
from omium.jsonvalue import JsonValue
from omium.safetext import safe_text
from omium.server.db.light import light
from omium.server.traces import attributes as named
from omium.server.traces.attributes import MODEL_CALLS, Kind, first_text
from omium.server.traces.content import Conceal, clean_text, read_content, unpack
from omium.server.traces.wire import ATTRIBUTES_MAX, SPAN_ID_BYTES, TRACE_ID_BYTES, Attributes, RawSpan

PAST_US: Final = 7 * 86_400 * US_PER_S
FUTURE_US: Final = 5 * 60 * US_PER_S
NAME_MAX: Final = 120
MESSAGE_MAX: Final = 2_048
TRACEBACK_MAX: Final = 8 * 2**10
_AHEAD: Final = 4
"""How many times as much as is kept is looked at for secrets."""
_HEX: Final = re.compile(r"[0-9a-f]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\b[0-9a-f]{16,}\b")
_TYPED: Final = re.compile(r"([A-Za-z_][\w.]*)(?:\((.*)\)|: ?(.*))", re.DOTALL)
LANGSMITH: Final = "langsmith"
UNKNOWN_SERVICE: Final = "unknown_service"


@light(frozen=True, slots=True)
class Span:
    """What is kept of a span. Times are microseconds; what is not known is None or empty."""

    span_id: str
    parent_id: str
    name: str
    scope: str
    kind: Kind
    start_us: int
    end_us: int
    failed: bool
    error: dict[str, JsonValue] | None = None
    workflow: str = ""
    service: str = ""
    model: str = ""
    provider: str = ""
    response_id: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_microusd: int | None = None
    input: JsonValue = None
    output: JsonValue = None
    flags: list[str] | None = None

    @property
    def calls_model(self) -> bool:
        """Whether it is one call of a model."""
        return self.kind in MODEL_CALLS

    @property
    def tells_usage(self) -> bool:
        """Whether tokens were reported with it."""
        return self.input_tokens is not None or self.output_tokens is not None


_DEFAULTS: Final = {"span_id": "", "parent_id": "", "scope": "", "kind": "", "failed": False}
_FIELDS: Final = tuple((field.name, _DEFAULTS.get(field.name)) for field in fields(Span))


def pack_span(span: Span) -> dict[str, JsonValue]:
    """Return what the row's body says; what is empty is left out."""
    return {
        name: value
        for name, default in _FIELDS
        if (value := cast("JsonValue", getattr(span, name))) != default and value not in (None, "")
    }


def unpack_span(span_id: str, body: bytes) -> Span:
    """Return the span of a row."""
    said = json.loads(body)
    said = {"parent_id": "", "scope": "", "kind": "", "failed": False, "name": "span"} | said
    return Span(**(said | {"span_id": span_id}))


def find_fault(raw: RawSpan, now_us: int) -> str:
    """Say why the span cannot be taken; empty if it can."""
    if not _is_hex(raw.trace_id, TRACE_ID_BYTES):
        return "its trace id is not 16 bytes, or all zero"
    if not _is_hex(raw.span_id, SPAN_ID_BYTES):
        return "its span id is not 8 bytes, or all zero"
    if raw.end_ns < raw.start_ns:
        return "it ends before it starts"
    if raw.start_ns // 1000 < now_us - PAST_US:
        return "it started more than 7 days ago"
    if raw.end_ns // 1000 > now_us + FUTURE_US:
        return "it ends more than 5 minutes from now; is a clock wrong?"
    return ""


def _is_hex(text: str, size_bytes: int) -> bool:
    return len(text) == 2 * size_bytes and _HEX.fullmatch(text) is not None and text.strip("0") != ""


def read_span(raw: RawSpan, conceal: Conceal) -> Span:
    """Return what is kept of `raw`, in which nothing is redacted yet; `conceal` is asked before a cut."""
    given, flags = raw.attributes, list[str]()
    if raw.attributes_cut:
        flags.append(f"{raw.attributes_cut:,} of its attributes were not read: at most {ATTRIBUTES_MAX} are")
    kind = named.kind_of(given)
    resource = raw.origin.resource
    service = first_text(resource, (named.SERVICE,))
    if service.startswith(UNKNOWN_SERVICE):
        service = ""
    # LangSmith's exporter sometimes says of a run that failed that it is fine, beside the exception.
    failed = raw.failed or (bool(raw.exceptions) and raw.origin.scope == LANGSMITH)
    workflow = first_text(given, named.WORKFLOW) or first_text(resource, named.WORKFLOW)
    if not workflow and (own := first_text(given, named.WORKFLOW_NAMED)) != named.WORKFLOW_UNNAMED:
        workflow = own
    span = {
        "span_id": raw.span_id,
        "parent_id": raw.parent_id if raw.parent_id.strip("0") else "",
        "name": clean_name(_conceal_long(_name_of(raw, kind), NAME_MAX, conceal)),
        "scope": clean_text(raw.origin.scope, NAME_MAX),
        "kind": kind,
        "start_us": raw.start_ns // 1000,
        "end_us": raw.end_ns // 1000,
        "failed": failed,
        "error": read_error(raw, conceal) if failed else None,
        "workflow": clean_name(workflow, otherwise=""),
        "service": clean_name(service, otherwise=""),
    }
    if not kind:  # of what belongs to no agent nobody is shown the content
        return Span(**span, flags=flags or None)  # type: ignore[arg-type]  # one name, one type, as above
    content = read_content(given, conceal)
    if kind in MODEL_CALLS:
        span |= _read_call(given, flags, conceal)
    return Span(**span, input=content[0], output=content[1], flags=flags or None)  # type: ignore[arg-type]  # as above


def _read_call(given: Attributes, flags: list[str], conceal: Conceal) -> dict[str, object]:
    said, made = (named.count_of(given, names, flags) for names in (named.INPUT_TOKENS, named.OUTPUT_TOKENS))
    if said is None and made is None:
        said = named.count_of(given, named.TOTAL_TOKENS, flags)  # what is known only in all
    response_id = first_text(given, named.RESPONSE_ID) or find_response_id(given)
    return {
        "model": _cut(first_text(given, named.MODEL), NAME_MAX, conceal),
        "provider": _cut(first_text(given, named.PROVIDER), NAME_MAX, conceal),
        "response_id": _cut(response_id, NAME_MAX, conceal),
        "input_tokens": said,
        "output_tokens": made,
        "cached_tokens": named.count_of(given, named.CACHED_TOKENS, flags),
        "cache_write_tokens": named.count_of(given, named.CACHE_WRITE_TOKENS, flags),
        "reasoning_tokens": named.count_of(given, named.REASONING_TOKENS, flags),
        "cost_microusd": named.cost_microusd(given, flags),
    }


def find_response_id(given: Attributes) -> str:
    """Return the id of the model's answer where only the answer itself says it, as OpenInference sends it."""
    answer = unpack(given.get("output.value") or given.get("gen_ai.completion"))
    if not isinstance(answer, dict):
        return ""
    if isinstance(answer.get("id"), str):
        return str(answer["id"])
    try:
        message = answer["generations"][0][0]["message"]["kwargs"]  # type: ignore[index,call-overload]  # caught
        found = message["response_metadata"]["id"]  # type: ignore[index,call-overload]  # as above
    except (KeyError, IndexError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _name_of(raw: RawSpan, kind: Kind) -> str:
    """Return what its step is called: a tool, an agent or a node by its own name."""
    given = raw.attributes
    if kind == "tool" and (name := first_text(given, named.TOOL)):
        return name
    if kind == "agent" and (name := first_text(given, named.AGENT)):
        return name
    return raw.name


def clean_name(name: str, *, otherwise: str = "span") -> str:
    """Return `name` as a part of a path: printable, not long, and without ids that no two runs share."""
    return _clean_name(name[: 4 * NAME_MAX + 1], otherwise)


@functools.lru_cache(maxsize=4096)  # a service's spans have few names
def _clean_name(name: str, otherwise: str) -> str:
    text = " ".join(safe_text(_UUID.sub("", clean_text(name, 4 * NAME_MAX))).split())
    text = "".join(character for character in text if character.isprintable()).strip(" _-.")
    while len(text.encode()) > NAME_MAX:
        text = text[:-1]
    return text or otherwise


def _conceal_long(text: str, most: int, conceal: Conceal) -> str:
    """Return `text` without secrets if it is longer than `most` bytes, since a cut could halve one."""
    return str(conceal(text[: _AHEAD * most])) if len(text.encode(errors="ignore")) > most else text


def _cut(text: str, most: int, conceal: Conceal) -> str:
    return clean_text(_conceal_long(text, most, conceal), most)


def read_error(raw: RawSpan, conceal: Conceal) -> dict[str, JsonValue]:
    """Return what went wrong, as other errors are stored: type, message, traceback."""
    event = raw.exceptions[-1] if raw.exceptions else {}
    error_type = first_text(event, ("exception.type",)) or first_text(raw.attributes, named.ERROR_TYPE)
    error_type = "" if error_type == named.OTHER_ERROR else error_type
    message = first_text(event, ("exception.message",)) or first_text(raw.attributes, ("exception.message",))
    traceback = first_text(event, ("exception.stacktrace",))
    if "Traceback (most recent" in message:  # LangSmith's: the error as it is written, then the stack
        message, _, stack = message.partition("Traceback (most recent")
        traceback = f"Traceback (most recent{stack}"
        error_type = "" if error_type == "Exception" else error_type
    status = raw.status_message
    if not message and status:
        traceback = traceback or (status if "\n" in status else "")  # OpenInference puts the stack there
        message = status.strip().rpartition("\n")[2] if traceback == status else status
        if "\n" in status and "Traceback (most" in status:
            message = status.partition("Traceback (most")[0].strip() or message
    match = _TYPED.fullmatch(message.strip())
    if match and not error_type and match[1].rpartition(".")[2][:1].isupper():
        error_type, message = match[1], (match[2] if match[2] is not None else match[3]).strip("'\"")
    error: dict[str, JsonValue] = {
        "type": clean_text(error_type.rpartition(".")[2] or "Error", NAME_MAX),
        "message": _cut(message or "The span says that it failed, and not why.", MESSAGE_MAX, conceal),
    }
    if traceback:
        error["traceback"] = _cut(traceback, TRACEBACK_MAX, conceal)
    return error
