"""An OpenAI-compatible model on loopback whose answers stand in the prompts, and which counts.

A prompt says what the model does: `[[say: Otters play.]]` is answered with `Otters play.`, and
`[[call: charge_card {"amount": 3}]]` with a call of that tool until a tool has answered. The last marker
counts. So the answers are the same in each process, whatever had been asked before. `answers` adds those
for prompts that are not a test's own, by a part of the prompt, and `tools` what is called for one first.
"""

import contextlib
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SAY = re.compile(r"\[\[say: (.*?)\]\]", re.DOTALL)
_CALL = re.compile(r"\[\[call: (\w+) (\{.*?\})\]\]", re.DOTALL)


class ScriptedModel:
    """What was asked, and how many tokens that cost; `base_url` is what a crew is given."""

    def __init__(self):
        self.asked = []
        self.input_tokens = 0
        self.output_tokens = 0
        self.answers = {}
        self.tools = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def calls(self):
        return len(self.asked)

    def count(self):
        """How often each answer was given."""
        return Counter(self.asked)

    def answer(self, request):
        message, told = self._choose(request)
        usage = {"prompt_tokens": 10 + len(request["messages"]), "completion_tokens": 3 + len(told) % 7}
        with self._lock:
            self.asked.append(told)
            self.input_tokens += usage["prompt_tokens"]
            self.output_tokens += usage["completion_tokens"]
        return {
            "id": f"chatcmpl-{self.calls}",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
                }
            ],
            "usage": {**usage, "total_tokens": sum(usage.values())},
        }

    def _choose(self, request):
        messages = request["messages"]
        prompt = "\n".join(_text(each) for each in messages if each["role"] == "user")
        answered = any(each["role"] == "tool" for each in messages) or "Observation:" in prompt
        for part, (name, arguments) in self.tools.items():
            if part in prompt and not answered and request.get("tools"):
                return _ask_for(name, arguments)
        for part, said in self.answers.items():
            if part in json.dumps(messages):
                return {"role": "assistant", "content": said}, said
        calls = _CALL.findall(prompt)
        if calls and not answered and request.get("tools"):
            return _ask_for(*calls[-1])
        said = (_SAY.findall(prompt) or ["nothing"])[-1]
        return {"role": "assistant", "content": said}, said

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _ask_for(name, arguments):
    call = {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, f"call {name}"


def _text(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _make_handler(model):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            data = json.dumps(model.answer(body)).encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    return Handler
