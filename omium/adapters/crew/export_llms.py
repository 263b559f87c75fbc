"""Models in a document: provider, model and parameters; never an address, and never a key."""

from __future__ import annotations

from typing import Any, Final

from omium.jsonvalue import JsonValue

PARAMETERS: Final = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
)
"""Fields of a model that are sent along with each call, and may be edited in a document."""


def export_llm(llm: Any) -> dict[str, JsonValue] | None:
    """Return a model as `{"provider", "model", "parameters"}`; None where there is none."""
    if llm is None:
        return None
    if isinstance(llm, str):
        provider, model = _split(llm, "openai")  # what CrewAI takes a bare name for
        return {"provider": provider, "model": model}
    model = str(getattr(llm, "model", "") or "")
    provider = str(getattr(llm, "provider", "") or "")
    if getattr(llm, "is_litellm", False) or not provider:
        provider, model = _split(model, provider or "openai")
    parameters = list_parameters(llm)
    exported: dict[str, JsonValue] = {"provider": provider[:200], "model": model[:300]}
    if parameters:
        exported["parameters"] = parameters
    return exported


def list_parameters(llm: Any) -> dict[str, JsonValue]:
    """Return the parameters that the model was given."""
    found: dict[str, JsonValue] = {}
    for name in PARAMETERS:
        value = getattr(llm, name, None)
        if isinstance(value, list):
            value = [each for each in value if isinstance(each, str)] or None
        if isinstance(value, str | int | float | bool | list):
            found[name] = value
    return found


def _split(name: str, otherwise: str) -> tuple[str, str]:
    provider, slash, model = name.partition("/")
    return (provider, model) if slash and provider and model else (otherwise, name)
