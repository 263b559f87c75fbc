"""Tokens as usage: what the models of a node reported, attached to the node's step.

Owns the one callback that Omium adds to a run. It only looks: it never fails a run, and what a model did not
report is not made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import ChatGeneration, LLMResult

from omium.sdk.current import record_usage

_CACHE_WRITES = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
"""Where LangChain tells them by how long they are kept, the first is 0."""


class UsageRecorder(BaseCallbackHandler):
    """Records the usage of every model call that ends in the current step."""

    run_inline = True  # in the thread that called the model, where the current step is known

    def __init__(self) -> None:
        self._providers: dict[UUID, str] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  # LangChain passes it
        messages: list[list[Any]],  # noqa: ARG002  # LangChain passes it
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **_more: Any,
    ) -> None:
        """Note which provider is asked: the answer does not say."""
        if metadata and metadata.get("ls_provider"):
            self._providers[run_id] = str(metadata["ls_provider"])

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_more: Any) -> None:  # noqa: ARG002
        """Forget a call that gave no answer."""
        self._providers.pop(run_id, None)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_more: Any) -> None:
        """Record what the model reported; all prompts of one call together."""
        provider = self._providers.pop(run_id, None)
        for generations in response.generations:
            generation = generations[0] if generations else None
            message = generation.message if isinstance(generation, ChatGeneration) else None
            usage: Mapping[str, Any] | None = getattr(message, "usage_metadata", None)
            if message is None or not usage:
                continue
            details = usage.get("input_token_details") or {}
            record_usage(
                provider=provider,
                model=message.response_metadata.get("model_name"),
                input_tokens=int(usage.get("input_tokens") or 0),
                output_tokens=int(usage.get("output_tokens") or 0),
                cached_tokens=int(details.get("cache_read") or 0),
                cache_write_tokens=sum(int(details.get(name) or 0) for name in _CACHE_WRITES),
                reasoning_tokens=int((usage.get("output_token_details") or {}).get("reasoning") or 0),
            )
