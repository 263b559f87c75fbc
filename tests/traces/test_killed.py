"""A server that is killed while spans come in loses nothing acknowledged, and counts nothing twice."""

import threading
import time

import httpx

from tests.traces.spans import PROTOBUF, llm, request

TOKENS = (3, 2)


def send_until_acknowledged(server, number, at_us, acknowledged, lost):
    """Send one trace as an exporter does: again and again under the same ids until it is taken."""
    trace = f"{number + 1:032x}"
    spans = [
        llm(1, 0, TOKENS, trace=trace),
        llm(2, 1, TOKENS, trace=trace),
        llm(3, 1, TOKENS, start_ms=9, trace=trace),
    ]
    body = request(spans, at_us).SerializeToString()
    headers = {**server.headers, "content-type": PROTOBUF}
    for _ in range(600):
        try:
            answer = httpx.post(f"{server.base_url}/v1/traces", content=body, headers=headers, timeout=20)
        except httpx.TransportError:
            lost.append(number)
            time.sleep(0.05)
            continue
        if answer.status_code == 200:
            acknowledged.append(number)
            return
        time.sleep(0.05)


def test_a_kill_during_ingest_loses_and_doubles_nothing(running_server):
    server, at_us = running_server, time.time_ns() // 1000 - 1_000_000
    acknowledged: list[int] = []
    lost: list[int] = []
    numbers = iter(range(60))

    def work():
        for number in numbers:
            send_until_acknowledged(server, number, at_us, acknowledged, lost)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for threshold in (10, 25, 40):
        for _ in range(2_000):
            if len(acknowledged) >= threshold:
                break
            time.sleep(0.005)
        server.kill()
        server.restart()
    for thread in threads:
        thread.join()
    assert sorted(acknowledged) == list(range(60))
    with httpx.Client(base_url=server.base_url, headers=server.headers, timeout=30) as client:
        shown = []
        for _ in range(300):
            shown = client.get("/v1/executions", params={"limit": 100}).json()["items"]
            if len(shown) == 60:
                break
            time.sleep(0.1)
        assert {each["status"] for each in shown} == {"completed"}
        totals = client.get("/v1/usage", params={"limit": 200}).json()["items"]
        assert len(shown) == 60
        assert sum(each["input_tokens"] for each in totals) == 60 * 2 * TOKENS[0]
        assert client.get("/v1/admin/verify").json()["problems"] == []
