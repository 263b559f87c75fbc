"""A server with workflows for tests of their pages; several tests share one, each with names of its own."""

import json

import httpx
from textual import events

from tests.migrated import put_sqlite
from tests.serverfixture import IN_CLEAR, RunningServer

HOSTILE = "\x1b]0;owned\x07[red]bold[/]\u202egnp"


class Office:
    """A server, and what tests ask it beside the dashboard."""

    def __init__(self, folder):
        put_sqlite(folder / "data" / "omium.sqlite")
        self.server = RunningServer(folder / "data", {"OMIUM_BALLAST_BYTES": "0"})
        self.server.bootstrap()
        self._sent = 0

    def close(self):
        self.server.kill()

    def call(self, method, path, body=None):
        self._sent += 1
        return httpx.request(
            method,
            self.server.base_url + path,
            json=body,
            headers={**self.server.headers, "idempotency-key": f"{path}-{self._sent}"},
            timeout=60,
            verify=IN_CLEAR,
        )

    def post(self, path, body=None):
        reply = self.call("POST", path, body)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def get(self, path):
        reply = self.call("GET", path)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def save(self, document, note=""):
        """Store a document as its workflow's next version."""
        return self.post("/v1/workflows", {"document": document, "note": note})

    def key(self, *scopes):
        """Return a further key's secret, with these scopes only."""
        return self.post("/v1/keys", {"name": "narrow", "scopes": list(scopes)})["api_key"]


async def paste(driver, text):
    """Paste into what has the focus, as a terminal does."""
    driver.app.post_message(events.Paste(text if isinstance(text, str) else json.dumps(text, indent=2)))
    await driver.settle()


async def fill(driver, **values):
    """Fill in fields of the form that is shown."""
    for name, value in values.items():
        field = driver.app.screen.query_one(f"#field-{name.replace('__', '-')}")
        if hasattr(field, "load_text"):
            field.load_text(value)
        else:
            field.value = value
    await driver.settle()


async def to_tab(driver, words):
    """Go to the next tab until it is the one that is active."""
    for _ in range(8):
        if driver.app.screen.query("Tab.-active").first().label_text == words:
            return
        await driver.press("right_square_bracket")
    raise AssertionError(f"There is no tab {words}:\n{driver.text}")
