"""Tokens of LlamaIndex's models in a step: as many as the model's server counted, however it is asked."""

import asyncio
import os

import pytest
from openai import AsyncOpenAI, OpenAI
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent

import omium
from omium.adapters.llama_index import instrument
from omium.adapters.llama_index.usage import read_tokens
from tests.frameworks.scripted import say, usage_of

pytest.importorskip("llama_index.core", reason="llama-index-core is not installed here")

from llama_index.core.base.llms.types import CompletionResponse, LLMMetadata
from llama_index.core.llms import ChatMessage, CustomLLM
from llama_index.core.llms.callbacks import llm_completion_callback


class Served(CustomLLM):
    """Asks the scripted server, and keeps the provider's answer as LlamaIndex's own models do (`raw`)."""

    model: str = "tiny-1"

    @classmethod
    def class_name(cls):
        return "served_llm"

    @property
    def metadata(self):
        return LLMMetadata(model_name=self.model)

    def _question(self, prompt):
        return {"model": self.model, "messages": [{"role": "user", "content": prompt}]}

    @llm_completion_callback()
    def complete(self, prompt, formatted=False, **options):
        with OpenAI(base_url=os.environ["OPENAI_BASE_URL"], max_retries=0) as client:
            answer = client.chat.completions.create(**self._question(prompt))
        return CompletionResponse(text=answer.choices[0].message.content, raw=answer)

    @llm_completion_callback()
    async def acomplete(self, prompt, formatted=False, **options):
        async with AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], max_retries=0) as client:
            answer = await client.chat.completions.create(**self._question(prompt))
        return CompletionResponse(text=answer.choices[0].message.content, raw=answer)

    @llm_completion_callback()
    def stream_complete(self, prompt, formatted=False, **options):
        def stream():
            whole = self.complete(prompt)
            yield CompletionResponse(text=whole.text[:2], delta=whole.text[:2], raw={"model": "tiny-1"})
            yield CompletionResponse(text=whole.text, delta=whole.text[2:], raw=whole.raw)

        return stream()


class Part(Event):
    text: str


LLM = Served()
HELLO = [ChatMessage(role="user", content="hello")]


class Writing(Workflow):
    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> Part:
        texts = [str(await LLM.acomplete("one")), str(await LLM.achat(HELLO))]
        texts += [str(each) for each in await asyncio.gather(LLM.acomplete("a"), LLM.acomplete("b"))]
        return Part(text=f"{len(texts)}")

    @step
    def stream(self, ev: Part) -> StopEvent:  # LlamaIndex runs it in a thread
        LLM.chat(HELLO)
        told = list(LLM.stream_complete("more"))
        return StopEvent(result=ev.text + told[-1].text)


def test_the_tokens_of_each_answer_are_counted_once(server, model):
    model.script = [say("hi")] * 6

    result = instrument(Writing(), name="writing").run_sync()

    assert result == "4hi"
    assert len(model.requests) == 6
    assert usage_of(server, server.newest()["id"]) == (6, 66, 42)
    told = server.get(f"/v1/usage?execution_id={server.newest()['id']}")["items"]
    assert {(each["provider"], each["model"]) for each in told} == {("served", "tiny-1")}


def test_a_resume_counts_no_answer_again(server, model):
    class Failing(Writing):
        tries: list = []  # noqa: RUF012  # of the class, as a test's

        @step
        def stream(self, ev: Part) -> StopEvent:
            self.tries.append(str(LLM.complete("again")))
            if len(self.tries) == 1:
                raise RuntimeError("cut off")
            return StopEvent(result=ev.text)

    model.script = [say("hi")] * 6
    durable = instrument(Failing(), name="failing")
    with pytest.raises(RuntimeError, match="cut off"):
        durable.run_sync()
    execution = server.newest()

    assert omium.resume(execution["id"]) == "4"

    assert len(model.requests) == 6
    # The step that failed had asked, too: it was answered, and is paid for.
    assert usage_of(server, execution["id"]) == (6, 66, 42)


def test_outside_of_a_recorded_step_nothing_is_counted(server, model):
    model.script = [say("hi")]

    @omium.workflow(name="own")
    def own():
        return str(LLM.complete("one"))

    own()

    assert usage_of(server, server.newest()["id"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, (9, 4, 0, 0, 0)),
        (
            {
                "input_tokens": 5,
                "output_tokens": 4,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 2,
            },
            (10, 4, 3, 2, 0),
        ),
        (
            {
                "input_tokens": 9,
                "output_tokens": 8,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 6},
            },
            (9, 8, 4, 0, 6),
        ),
        (
            {
                "prompt_token_count": 9,
                "candidates_token_count": 4,
                "thoughts_token_count": 3,
                "cached_content_token_count": 2,
            },
            (9, 7, 2, 0, 3),
        ),
        ({"inputTokens": 2, "outputTokens": 3, "cacheReadInputTokens": 4}, (6, 3, 4, 0, 0)),
        ({}, (0, 0, 0, 0, 0)),
    ],
    ids=["openai", "anthropic", "responses", "gemini", "bedrock", "nothing"],
)
def test_usage_is_read_as_each_provider_tells_it(usage, counts):
    assert tuple(read_tokens(usage).values()) == counts
