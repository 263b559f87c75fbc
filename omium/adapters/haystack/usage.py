"""Tokens as usage: what generators and embedders tell in the `meta` of what they return.

Owns which components are models, and who answers for them. A component that only hands messages on tells
nothing, so that no answer is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omium.sdk.current import record_usage

_MODELS = ("Generator", "Embedder", "Ranker")
_KINDS = ("generators", "embedders", "rankers")
_CACHES = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""As Anthropic tells them: beside the tokens of the input, of which Omium counts them as a part."""


def is_model(component: object) -> bool:
    """Say whether a component asks a model itself."""
    return any(word in each.__name__ for each in type(component).__mro__ for word in _MODELS)


def record_component_usage(component: object, outputs: Mapping[str, Any]) -> None:
    """Tell what the model of `component` reported; what it did not report is not made up."""
    if not is_model(component):
        return
    for meta in _metas(outputs):
        usage = meta.get("usage")
        if not isinstance(usage, Mapping):
            continue
        asked, answered = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
        provider = find_provider(component)
        read, written = (int(usage.get(name) or 0) if provider == "anthropic" else 0 for name in _CACHES)
        record_usage(
            provider=provider,
            model=meta.get("model") or getattr(component, "model", None),
            input_tokens=int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0) + read + written,
            output_tokens=int(usage.get("completion_tokens") or usage.get("output_tokens") or 0),
            cached_tokens=int(_read(asked, "cached_tokens")) or read,
            cache_write_tokens=int(_read(asked, "cache_write_tokens")) or written,
            reasoning_tokens=int(_read(answered, "reasoning_tokens")),
        )


def find_provider(component: object) -> str | None:
    """Return who is asked: what the component's module is named after."""
    modules = [each.__module__.split(".") for each in type(component).__mro__]
    after = next(
        (parts[at + 1 :] for parts in modules for at, part in enumerate(parts) if part in _KINDS), []
    )
    named = next((part for part in after if part != "chat"), None)
    return None if named is None else "openai" if named.startswith("openai") else named


def _metas(outputs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what is told of each answer; several replies of one call carry the same usage, once."""
    seen: list[Any] = []
    told = outputs.get("meta")
    for each in told if isinstance(told, list) else [told]:
        if isinstance(each, Mapping):
            yield each
    for reply in outputs.get("replies") or ():
        meta = getattr(reply, "meta", None)
        if (
            isinstance(meta, Mapping)
            and meta.get("usage")
            and not any(meta["usage"] is each for each in seen)
        ):
            seen.append(meta["usage"])
            yield meta


def _read(details: Any, name: str) -> int:
    value = details.get(name) if isinstance(details, Mapping) else getattr(details, name, 0)
    return int(value or 0)
