"""A server's answers on their way to the dashboard, without what is another each time: for stored screens.

    open_dashboard(server, inner=Pinned({str(folder): "/home/ann"}))     # times, versions and paths
    still(driver.lines)                                                  # ids, dates and ports, on the screen

What was is three hours ago, what is to come is in two hours, and whatever took its time took the same time,
on a fast machine and on a busy one.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping

import httpx

_S = 1_000_000
_AGO_US, _AHEAD_US = 3 * 3_600 * _S, 2 * 3_600 * _S
_UNTIL_US = 1_767_830_400 * _S  # a midnight (UTC): the last one of every plot
_LATER_US = {"started": 20_000, "ended": 2_020_000, "completed": 2_020_000}
"""First word of a time's name: how long after the beginning of everything it was."""
_LASTING_US = re.compile(r"p\d\d_us|duration_us|latency_us")
_SAID = {
    "server_version": "1.2.3",
    "burn_credits_per_day": 0.23,  # sweeps, some time after the server has started, change these
    "empty_at_us": None,
    "stored_bytes": None,
    "storage_credits_per_day": 0,
}
_ID = re.compile(r"\b([a-z]{2})_([0-9a-z]{6,26})(?=…|\b)")
_DAY = re.compile(r"\b\d\d-\d\d\b")
_AXIS_DAYS_MIN = 5
_DIGITS = {
    re.compile(r"\b\d{4}-\d\d-\d\d\b"): "2026-01-02",
    re.compile(r"\b\d\d:\d\d:\d\d\b"): "03:04:05",
    re.compile(r"\b127\.0\.0\.1:\d+"): "127.0.0.1:8600",
}


class Pinned(httpx.AsyncBaseTransport):
    """Takes the place of the network: asks the server, and hands on what does not change.

    `names` is what stands for a text in all answers, such as a path of this machine.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=False)  # in clear, and loading authorities takes time
        self._names = names

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return answer
        try:
            text = (await answer.aread()).decode()
        finally:
            await answer.aclose()
        for told, stands in self._names.items():
            text = text.replace(told, stands)
        body = json.dumps(_pin(json.loads(text), time.time_ns() // 1000))
        kept = [each for each in answer.headers.multi_items() if each[0] != "content-length"]
        return httpx.Response(answer.status_code, headers=kept, content=body.encode())

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pin(value: object, now_us: int) -> object:
    if isinstance(value, list):
        return [_pin(each, now_us) for each in value]
    if not isinstance(value, dict):
        return value
    pinned = {name: _pin(each, now_us) for name, each in value.items()}
    for name, each in pinned.items():
        if name.endswith("at_us") and isinstance(each, int):
            later_us = _LATER_US.get(name.partition("_")[0], 0)
            pinned[name] = now_us + _AHEAD_US if each > now_us + _S else now_us - _AGO_US + later_us
        elif _LASTING_US.fullmatch(name) and each is not None:
            pinned[name] = 2 * _S
    pinned |= {name: said for name, said in _SAID.items() if name in pinned}
    if isinstance(frames := pinned.get("frames"), list):  # ours are others with the next change of the SDK
        pinned["frames"] = [each for each in frames if each["own"]]
    if "points" in pinned and "until_us" in pinned:
        _move(pinned, _UNTIL_US - int(str(pinned["until_us"])))
    return pinned


def _move(value: object, by_us: int) -> None:
    """Move all that a plot is about to other days."""
    if isinstance(value, list):
        for each in value:
            _move(each, by_us)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in ("from_us", "until_us", "start_us"):
                value[name] = each + by_us
            else:
                _move(each, by_us)


def still(lines: list[str]) -> Iterator[str]:
    """Yield lines of a screen with ids, dates and ports that are the same each time, as wide as they were."""
    for line in lines:
        if len(_DAY.findall(line)) >= _AXIS_DAYS_MIN:  # plots leave out one or another
            line = _DAY.sub(" " * 5, line)  # noqa: PLW2901
        line = _ID.sub(lambda found: f"{found[1]}_{'0' * len(found[2])}", line)  # noqa: PLW2901
        for pattern, stands in _DIGITS.items():
            line = pattern.sub(stands, line)  # noqa: PLW2901
        yield line
