"""HTTP tools: one request of a spec's tool, through the guarded client, with the tenant's named secrets.

Owns how arguments become a request and an answer becomes a value. The host stands in the spec as it is: an
argument can change a path, a query or a body, never where the request goes. Secrets stand only in headers,
and never in what is recorded or shown of a failure. Who decides about another try is the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from omium.errors import InvalidJson, InvalidRequest, SealBroken
from omium.jsonvalue import JsonValue, encode, json_bytes, parse_json, plain
from omium.redact import redact_text
from omium.server.builtin.context import Object, RunContext
from omium.server.builtin.model import RETRIED_STATUSES, fail
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import Answer, GuardedClient, SendFailed
from omium.spec.schemas import SchemaInvalid, check_value
from omium.spec.templates import UnknownName, list_names, measure, render

TIMEOUT_S: Final = 30.0
REQUEST_BYTES_MAX: Final = 1024 * 1024
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
REDIRECTS_MAX: Final = 3
URL_CHARACTERS_MAX: Final = 8_192
WRITTEN_CHARACTERS_MAX: Final = 8 * 1024 * 1024
"""Of all parts of a request, before they are encoded and measured one by one."""
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    secrets: tuple[str, ...]


class HttpTools:
    """Calls HTTP tools for a server's tenants."""

    def __init__(self, client: GuardedClient) -> None:
        self._client = client

    async def call(
        self,
        context: RunContext,
        name: str,
        tool: Object,
        arguments: Mapping[str, JsonValue],
        *,
        timeout_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> JsonValue:
        """Call `tool` once and return what it gives; raises `RunFailed`. `arguments` are plain JSON."""
        http = tool.get("http")
        if not isinstance(http, dict):
            raise fail(
                "ToolNotServed",
                f"The tool {name} has no http request; the server calls no others. Let a worker do the node.",
                code="tool-not-served",
                retryable=False,
            )
        check_arguments(name, tool, arguments)
        request = await _make_request(context, http, arguments, idempotency_key)
        within_s = TIMEOUT_S if timeout_s is None else timeout_s
        try:
            answer = await self._client.request(
                request.method,
                request.url,
                request.headers,
                request.body,
                timeout_s=within_s,
                answer_bytes_max=ANSWER_BYTES_MAX,
                redirects_max=REDIRECTS_MAX if request.method in {"GET", "HEAD"} else 0,
            )
        except TargetRefused as refused:
            raise fail(
                "TargetRefused",
                f"{name}: {refused}",
                code="target-refused",
                retryable=False,
                not_applied=True,
            ) from refused
        except SendFailed as failed:
            raise fail(
                "APIConnectionError",
                f"{name}: {failed}",
                code="tool-unreachable",
                retryable=True,
                not_applied=not failed.reached,
            ) from failed
        return _read(context, name, tool, answer, request.secrets)


def check_arguments(name: str, tool: Object, arguments: Mapping[str, JsonValue]) -> None:
    """Raise `RunFailed` where the arguments are not what the tool's schema asks for."""
    schema = tool.get("input_schema")
    try:
        problems = check_value(schema, dict(arguments)) if isinstance(schema, dict) else []
    except SchemaInvalid as invalid:
        raise fail(
            "SchemaInvalid", f"{name}: {invalid}", code="schema-invalid", retryable=False, not_applied=True
        ) from invalid
    if problems:
        raise fail(
            "ArgumentsInvalid",
            f"{name}: {problems[0].pointer or '/'}: {problems[0].detail}",
            code="arguments-invalid",
            retryable=False,
            not_applied=True,
        )


async def _make_request(
    context: RunContext, http: Object, arguments: Mapping[str, JsonValue], idempotency_key: str | None
) -> _Request:
    method, template = str(http.get("method") or "GET"), str(http.get("url") or "")
    _refuse_large(http, arguments)
    try:
        url = _make_url(template, arguments)
        query = http.get("query")
        if isinstance(query, dict) and query:
            url += ("&" if "?" in url else "?") + urlencode(
                {key: _text(_put(value, arguments)) for key, value in query.items()}
            )
        body = _make_body(method, template, http, arguments)
        headers, secrets = await _make_headers(context, http, arguments)
    except UnknownName as unknown:
        raise fail(
            "TemplateError", str(unknown), code="template-name-unknown", retryable=False, not_applied=True
        ) from unknown
    if len(url) > URL_CHARACTERS_MAX or len(body) > REQUEST_BYTES_MAX:
        raise fail(
            "RequestTooLarge",
            f"The request has an address of {len(url):,} characters and a body of {len(body):,} bytes;"
            f" {URL_CHARACTERS_MAX:,} and {REQUEST_BYTES_MAX:,} are allowed.",
            code="request-too-large",
            retryable=False,
            not_applied=True,
        )
    lower = {key.lower() for key in headers}
    if body and "content-type" not in lower:
        headers["content-type"] = "application/json"
    if "accept" not in lower:
        headers["accept"] = "application/json, text/*;q=0.9"
    if idempotency_key and "idempotency-key" not in lower:
        headers["idempotency-key"] = idempotency_key
    return _Request(method, url, headers, body, secrets)


def _refuse_large(http: Object, arguments: Mapping[str, JsonValue]) -> None:
    """Raise `RunFailed` where the request would be far too large: before it takes that much memory."""
    lengths = {name: len(_text(value)) for name, value in arguments.items()}
    size, stack = 0, [http.get(name) for name in ("url", "query", "headers", "body")]
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            size += measure(each, lengths)
        elif isinstance(each, dict | list):
            stack += each.values() if isinstance(each, dict) else each
    if size > WRITTEN_CHARACTERS_MAX:
        raise fail(
            "RequestTooLarge",
            f"The request has {size:,} characters with the arguments put in; the body may have"
            f" {REQUEST_BYTES_MAX:,} bytes.",
            code="request-too-large",
            retryable=False,
            not_applied=True,
        )


def _make_url(template: str, arguments: Mapping[str, JsonValue]) -> str:
    """Put arguments, percent-encoded, into the path and the query of an address."""
    before, mark, rest = template.partition("://")
    ends = [at for at in (rest.find(sign) for sign in "/?#") if at >= 0]
    host = rest[: min(ends)] if ends else rest
    if not mark or "{" in before or "{" in host:
        raise fail(
            "TargetRefused",
            "An argument cannot choose where a request goes: write scheme, host and port into the tool.",
            code="target-refused",
            retryable=False,
            not_applied=True,
        )
    quoted: dict[str, JsonValue] = {name: quote(_text(value), safe="") for name, value in arguments.items()}
    url = before + mark + host + render(rest[len(host) :], quoted)
    if any(part in {".", ".."} for part in urlsplit(url).path.split("/")) and not urlsplit(
        template
    ).path.count(".."):
        raise fail(
            "ArgumentsInvalid",
            "An argument is no way up: it stands in the address's path as . or .. would.",
            code="arguments-invalid",
            retryable=False,
            not_applied=True,
        )
    return url


def _make_body(method: str, template: str, http: Object, arguments: Mapping[str, JsonValue]) -> bytes:
    if method not in _BODY_METHODS:
        return b""
    if http.get("body") is not None:
        return json_bytes(_put(http["body"], arguments))
    named = set(list_names(template))
    return json_bytes({name: value for name, value in arguments.items() if name not in named})


async def _make_headers(
    context: RunContext, http: Object, arguments: Mapping[str, JsonValue]
) -> tuple[dict[str, str], tuple[str, ...]]:
    headers: dict[str, str] = {}
    secrets: list[str] = []
    given = http.get("headers")
    for name, value in given.items() if isinstance(given, dict) else ():
        if isinstance(value, dict) and isinstance(value.get("$secret"), str):
            try:
                secret = await context.secret(str(value["$secret"]))
            except (InvalidRequest, SealBroken) as error:
                raise fail(
                    "SecretMissing", str(error), code="secret-missing", retryable=False, not_applied=True
                ) from error
            secrets.append(secret)
            headers[name] = f"{value.get('prefix') or ''}{secret}"
        else:
            headers[name] = _text(_put(value, arguments))
    return headers, tuple(secrets)


def _put(value: JsonValue, arguments: Mapping[str, JsonValue]) -> JsonValue:
    """Put arguments into the texts of `value`; a text of nothing but `{name}` becomes the value itself."""
    if isinstance(value, str):
        names = list_names(value)
        if len(names) == 1 and value == f"{{{names[0]}}}" and names[0] in arguments:
            return arguments[names[0]]
        return render(value, arguments)
    if isinstance(value, list):
        return [_put(item, arguments) for item in value]
    if isinstance(value, dict):
        return {name: _put(item, arguments) for name, item in value.items()}
    return value


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json_bytes(value).decode()


def _read(
    context: RunContext, name: str, tool: Object, answer: Answer, secrets: tuple[str, ...]
) -> JsonValue:
    """Return the answer's value: JSON as it is, everything else as text."""
    text = answer.body.decode("utf-8", "replace")
    if not 200 <= answer.status < 300:
        said, _ = redact_text(text[:500], secrets)
        retryable = answer.status in RETRIED_STATUSES or answer.status >= 500
        raise fail(
            "RateLimitError" if answer.status == 429 else "ToolRefused",
            f"{name} answered {answer.status}: {said.strip()}",
            code="tool-refused",
            retryable=retryable,
            status=answer.status,
            retry_after_s=answer.retry_after_s(context.now_us()) if retryable else None,
        )
    if answer.broken or not answer.complete:
        what = "broke off" if answer.broken else f"was larger than {ANSWER_BYTES_MAX // 2**20} MiB"
        raise fail(
            "AnswerIncomplete",
            f"The answer of {name} {what}.",
            code="answer-incomplete",
            retryable=answer.broken,
        )
    value: JsonValue = text
    if "json" in answer.header("content-type").lower():
        try:
            value = parse_json(answer.body) if answer.body.strip() else None
        except InvalidJson as invalid:
            raise fail(
                "AnswerInvalid",
                f"{name} answered JSON that is none: {invalid}",
                code="answer-invalid",
                retryable=False,
            ) from invalid
    elif not answer.body:
        value = None
    schema = tool.get("output_schema")
    try:
        problems = check_value(schema, value) if isinstance(schema, dict) and schema else []
    except SchemaInvalid as invalid:
        raise fail("SchemaInvalid", f"{name}: {invalid}", code="schema-invalid", retryable=False) from invalid
    if problems:
        raise fail(
            "AnswerInvalid",
            f"The answer of {name} does not follow its schema: {problems[0].pointer or '/'}:"
            f" {problems[0].detail}",
            code="answer-invalid",
            retryable=False,
        )
    return encode(value.replace("\x00", "\ufffd") if isinstance(value, str) else value)


def plain_arguments(inputs: Object) -> dict[str, JsonValue]:
    """Return a node's inputs as a tool's arguments."""
    return {name: plain(value) for name, value in inputs.items()}
