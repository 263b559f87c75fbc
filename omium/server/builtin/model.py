"""A model: one chat completion of an OpenAI-compatible provider, and what its refusal means.

Owns the request, the reading of the answer, its usage record and the errors: 429, 5xx, timeouts and broken
connections are worth another try and count against the provider; other refusals are the caller's own. What is
asked is prompts.py's and agent_task.py's. A provider's key goes to its base URL, which never redirects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from omium.errorinfo import ErrorInfo
from omium.errors import InvalidJson
from omium.jsonvalue import JsonValue, json_bytes, parse_json
from omium.models.usage import RecordUsage
from omium.redact import redact_text
from omium.server.builtin.context import NO_USAGE, Object, RunContext, TaskFailed, TaskGrant
from omium.server.builtin.providers import Provider, Providers
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.http import Answer, GuardedClient, SendFailed

REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
TOKENS_MAX: Final = 10**8
EXCERPT_CHARACTERS: Final = 500
RETRIED_STATUSES: Final = frozenset({408, 409, 425, 429})
_RESERVED: Final = frozenset({"model", "messages", "tools", "tool_choice", "stream", "stream_options", "n"})


class RunFailed(Exception):
    """The attempt ends here, with `failed`."""

    def __init__(self, failed: TaskFailed) -> None:
        super().__init__(failed.error.message)
        self.failed = failed


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said: its message as it came, and what it cost."""

    message: dict[str, JsonValue]
    finish_reason: str
    usage: tuple[RecordUsage, ...] = NO_USAGE
    """Empty where it was read from the journal: it's recorded there."""

    @property
    def text(self) -> str:
        """What it said in words."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""


def fail(
    type_: str,
    message: str,
    *,
    code: str,
    retryable: bool,
    status: int | None = None,
    retry_after_s: float | None = None,
    usage: Sequence[RecordUsage] = NO_USAGE,
    not_applied: bool = False,
) -> RunFailed:
    """Return the exception that ends an attempt with this error."""
    error = ErrorInfo(type_, message, code=code, status=status, retry_after_s=retry_after_s)
    return RunFailed(TaskFailed(error, retryable, retry_after_s, usage, not_applied=not_applied))


class Models:
    """Calls the providers of a server."""

    def __init__(self, providers: Providers, *, ca_file: str = "") -> None:
        self._providers = providers
        self._ca_file = ca_file
        self._clients: dict[str, GuardedClient] = {}

    def choose(self, llm: Object | None) -> tuple[Provider, str]:
        """Return the provider and the model that `llm` of a spec means; raises `RunFailed`."""
        name = str((llm or {}).get("provider") or "")
        provider = self._providers.find(name)
        if provider is None:
            known = ", ".join(each.name for each in self._providers.list_all()) or "none"
            raise fail(
                "ProviderUnknown",
                f"This server has no provider {name!r}; its operator can add it to providers.toml. There are:"
                f" {known}.",
                code="provider-unknown",
                retryable=False,
            )
        asked = str((llm or {}).get("model") or "")
        model = provider.choose_model(asked)
        if model is None:
            allowed = ", ".join(provider.models) or "any, by its name"
            raise fail(
                "ModelNotAllowed",
                f"The provider {name} has no model {asked!r} for workflows; there are: {allowed}.",
                code="model-not-allowed",
                retryable=False,
            )
        return provider, model

    async def complete(
        self,
        context: RunContext,
        grant: TaskGrant,
        llm: Object | None,
        messages: Sequence[JsonValue],
        further: Mapping[str, JsonValue],
        call: int,
    ) -> ModelAnswer:
        """Ask once and return the answer; raises `RunFailed`. `call` numbers the calls of this activation."""
        provider, model = self.choose(llm)
        given = (llm or {}).get("parameters")
        body: dict[str, JsonValue] = {
            name: value
            for name, value in (given.items() if isinstance(given, dict) else ())
            if name not in _RESERVED
        }
        body |= {"model": model, "messages": list(messages), **further}
        _limit_tokens(body, provider)
        data = json_bytes(body)
        if len(data) > REQUEST_BYTES_MAX:
            raise fail(
                "PromptTooLarge",
                f"The request to {provider.name} has {len(data):,} bytes; {REQUEST_BYTES_MAX:,} are allowed.",
                code="prompt-too-large",
                retryable=False,
            )
        answer = await self._send(provider, data, grant.timeout_s, context.now_us())
        return _read(context, grant, provider, model, answer, call)

    async def _send(self, provider: Provider, data: bytes, timeout_s: float | None, now_us: int) -> Answer:
        headers = {"content-type": "application/json", "accept": "application/json"}
        if provider.key:
            headers["authorization"] = f"Bearer {provider.key}"
        within_s = min(provider.timeout_s, timeout_s) if timeout_s is not None else provider.timeout_s
        url = f"{provider.base_url}/chat/completions"
        try:
            answer = await self._client(provider.target).request(
                "POST", url, headers, data, timeout_s=within_s, answer_bytes_max=ANSWER_BYTES_MAX
            )
        except TargetRefused as refused:
            raise fail("TargetRefused", str(refused), code="target-refused", retryable=False) from refused
        except SendFailed as failed:
            raise fail(
                "APIConnectionError",
                f"{provider.name}: {failed}",
                code="provider-unreachable",
                retryable=True,
            ) from failed
        if not 200 <= answer.status < 300:
            raise _refused(provider, answer, now_us)
        return answer

    def _client(self, target: str) -> GuardedClient:
        """Return a client that goes to `target` even where that is private: the operator has named it."""
        if target not in self._clients:
            allowed = (target, target.replace("[", "").replace("]", ""))
            self._clients[target] = GuardedClient(allowed, ca_file=self._ca_file, variable="providers.toml")
        return self._clients[target]


def _refused(provider: Provider, answer: Answer, now_us: int) -> RunFailed:
    said, _ = redact_text(
        answer.body[: EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")[:EXCERPT_CHARACTERS],
        (provider.key,) if provider.key else (),
    )
    retryable = answer.status in RETRIED_STATUSES or answer.status >= 500
    known = {429: ("RateLimitError", "rate-limited"), 408: ("APITimeoutError", "provider-timeout")}
    type_, code = known.get(
        answer.status,
        ("InternalServerError", "provider-unavailable")
        if answer.status >= 500
        else ("APIStatusError", "provider-refused"),
    )
    return fail(
        type_,
        f"{provider.name} answered {answer.status}: {said.strip()}",
        code=code,
        retryable=retryable,
        status=answer.status,
        retry_after_s=answer.retry_after_s(now_us) if retryable else None,
    )


def _read(
    context: RunContext, grant: TaskGrant, provider: Provider, model: str, answer: Answer, call: int
) -> ModelAnswer:
    """Return what the answer says; one that cannot be read is worth another try, and was paid for."""
    try:
        body = parse_json(answer.body) if answer.complete and not answer.broken else None
    except InvalidJson:
        body = None
    form = body if isinstance(body, dict) else {}
    usage = _make_usage(
        context, grant, provider.name, str(form.get("model") or model), form.get("usage"), call
    )
    choices = form.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise fail(
            "ProviderAnswerInvalid",
            f"{provider.name} answered {answer.status} with something that is no chat completion.",
            code="provider-answer-invalid",
            retryable=True,
            usage=(usage,),
        )
    return ModelAnswer(message, str(choice.get("finish_reason") or ""), (usage,))


def _make_usage(
    context: RunContext, grant: TaskGrant, provider: str, model: str, told: JsonValue, call: int
) -> RecordUsage:
    """Return the record of one call; its id is the call's own, so that a repeat of the report counts once."""
    sums = told if isinstance(told, dict) else {}
    cached, reasoning = sums.get("prompt_tokens_details"), sums.get("completion_tokens_details")
    identity = f"{grant.execution_id}\x00{grant.path}\x00{grant.epoch}\x00{call}"
    return RecordUsage(
        id=f"call_{hashlib.sha256(identity.encode()).hexdigest()[:40]}",
        execution_id=grant.execution_id,
        path=grant.path,
        attempt=grant.attempt,
        provider=provider,
        model=model[:200],
        input_tokens=_count(sums.get("prompt_tokens")),
        output_tokens=_count(sums.get("completion_tokens")),
        cached_tokens=_count(cached.get("cached_tokens") if isinstance(cached, dict) else 0),
        cache_write_tokens=_count(cached.get("cache_write_tokens") if isinstance(cached, dict) else 0)
        or _count(sums.get("cache_creation_input_tokens")),  # as proxies tell what Anthropic wrote
        reasoning_tokens=_count(reasoning.get("reasoning_tokens") if isinstance(reasoning, dict) else 0),
        at_us=context.now_us(),
    )


def _count(told: JsonValue) -> int:
    return min(max(told, 0), TOKENS_MAX) if type(told) is int else 0


def _limit_tokens(body: dict[str, JsonValue], provider: Provider) -> None:
    """Keep an answer within what the operator allows, under whichever name the spec limits it."""
    if provider.max_tokens is None:
        return
    names = [name for name in ("max_tokens", "max_completion_tokens") if name in body] or ["max_tokens"]
    for name in names:
        asked = body.get(name)
        body[name] = min(asked, provider.max_tokens) if type(asked) is int else provider.max_tokens
