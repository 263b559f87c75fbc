"""The scripted provider of tests/builtin in a thread of its own, for scripts that are killed meanwhile."""

import asyncio
import contextlib
import json
import threading
from collections import Counter

from tests.builtin.model_server import ScriptedModel, say

__all__ = ["INPUT_TOKENS", "OUTPUT_TOKENS", "ask", "cached_of", "open_scripted", "say", "stream", "usage_of"]

INPUT_TOKENS, OUTPUT_TOKENS = 11, 7  # of every answer


def ask(*calls):
    """An answer that asks for tools: (id, name, arguments) each; ids are unique, as providers' are."""
    tool_calls = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id_, name, arguments in calls
    ]
    message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    return {"message": message, "finish_reason": "tool_calls"}


def stream(*texts):
    """An answer that comes in parts."""
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1"}
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS}
    usage["total_tokens"] = sum(usage.values())
    parts = [
        *({**chunk, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts),
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk, "choices": [], "usage": usage},
    ]
    body = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
    return (200, "content-type: text/event-stream\r\n", body.encode())


@contextlib.contextmanager
def open_scripted(*script):
    """Serve a scripted model until the block ends."""
    model = ScriptedModel(script=list(script))
    begun, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve():
        served = await asyncio.start_server(model.answer, "127.0.0.1", 0)
        model.port = served.sockets[0].getsockname()[1]
        begun.set()
        await done.wait()
        served.close()
        await served.wait_closed()

    def work():
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    try:
        yield model
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


def usage_of(server, execution_id):
    """The tokens that are recorded of an execution: (calls, input, output)."""
    total = Counter()
    for usage in server.get(f"/v1/usage?execution_id={execution_id}&limit=200")["items"]:
        total["calls"] += usage["calls"]
        total["input"] += usage["input_tokens"]
        total["output"] += usage["output_tokens"]
    return total["calls"], total["input"], total["output"]


def cached_of(server, execution_id):
    """The input tokens that a provider had kept or kept anew: (read, written)."""
    used = server.detail(execution_id)["usage"]
    return used["cached_tokens"], used["cache_write_tokens"]
