"""A server with something on every page of the dashboard, and the places that there are to look at.

    gallery = Gallery(tmp_path_factory.mktemp("gallery"), name="{}")
    for place in PLACES:
        await place.go(driver, gallery)

`name` is the pattern that every name and text is put into: what tests of hostile strings give one to.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from omium.tui.registry import PAGES
from tests.serverfixture import IN_CLEAR
from tests.spec.whole import with_change
from tests.tui.driving import Driver
from tests.tui.shop import ASKS, TIMEOUT_S, Shop

SPEAKS = """
import logging

import omium

TEXT = {text!r}


@omium.step
def read(words):
    print(TEXT)
    logging.getLogger("agent").warning(TEXT)
    return {{"words": TEXT, TEXT: [TEXT]}}


@omium.step(effect=True, compensate="unsend")
def send(words):
    return {{"sent": TEXT}}


def unsend(inputs, output, effect_key):
    return None


@omium.step
def publish(words):
    raise RuntimeError(TEXT)


@omium.workflow(name={workflow!r})
def speak(words):
    omium.checkpoint({point!r}, read(words))
    send(words)
    publish(words)


try:
    speak({{"asked": TEXT}})
except RuntimeError:
    pass
"""

RESTING = {"press": "failed", "sale": "paused", "asks": "waiting", "unserved": "queued", "spent": 0.23}
"""Where each execution of a gallery without hostile names ends, and what all of them cost in credits."""


class Gallery(Shop):
    """A shop that has everything: what a tenant can name or write is `name` with a word in it."""

    def __init__(self, folder, name: str = "{}", text: str = "there is no printer") -> None:
        super().__init__(folder)
        self.name = name
        self.text = text
        try:
            self.fill()
        except BaseException:  # nobody else would end the server
            self.close()
            raise

    def named(self, word: str) -> str:
        return self.name.replace("{}", word)

    def fill(self) -> None:
        shown = clean(self.named("press"))
        code = self.folder / "speak.py"
        self.file, own = code, self.file
        code.write_text(SPEAKS.format(text=self.text, workflow=shown, point=clean(self.named("read"))))
        self.run("speak")
        self.file = own
        self.run("sale", "ann")
        changes = [("/name", self.named("whole")), ("/description", self.named("Everything once"))]
        self.post("/v1/workflows", {"document": with_change(*changes)})
        changes.append(("/nodes/1/parameters/description", self.named("Write it.")))
        self.post("/v1/workflows", {"document": with_change(*changes), "note": self.named("shorter")})
        asks = {**ASKS, "name": self.named("asks")}
        asks["nodes"] = [
            {**asks["nodes"][0], "parameters": {"message": self.named("Send it?")}},
            *asks["nodes"][1:],
        ]
        self.start(asks)
        self.post(
            "/v1/executions",
            {
                "workflow": self.named("unserved"), "driver": "worker", "input_digest": "0" * 64, "input": {},
                "tags": [clean(self.named("nightly"))], "business_key": clean(self.named("order-7")),
            },
        )  # fmt: skip
        workflow = self.named("whole")
        self.schedule = self.post(
            "/v1/schedules", {"name": self.named("morning"), "workflow": workflow, "cron": "0 9 1 1 *"}
        )["id"]
        self.trigger = self.post(
            "/v1/triggers",
            {"name": self.named("paid"), "kind": "after", "workflow": workflow, "after_workflow": shown},
        )["id"]
        self.post(
            "/v1/webhooks",
            {
                "name": self.named("push"),
                "url": "https://hooks.example/omium",
                "handlers": [self.named("enrich")],
            },
        )
        self.post("/v1/keys", {"name": self.named("laptop"), "scopes": ["read"]})
        self.put("/v1/secrets/OPENAI_KEY", {"value": self.text[:100] or "x"})
        self.post(
            "/v1/alerts/rules",
            {
                "name": self.named("tell me"),
                "channel": "webhook",
                "destination": "https://hooks.example/alerts",
            },
        )
        self.post("/v1/invitations", {"note": self.named("Bea")})
        self.post("/v1/breakers/calls", {"name": self.named("openai"), "succeeded": 3})
        self.execution = self.newest_of("press")
        listed = self.get("/v1/failures?status=open")["items"]
        self.failed = next(each["id"] for each in listed if "press" in each["workflow"])
        self.workflow = next(
            each["id"] for each in self.get("/v1/workflows")["items"] if "whole" in each["name"]
        )

    def rest(self) -> None:
        """Wait until everything has come to where it stays."""
        until = time.monotonic() + TIMEOUT_S
        while (stand := self._stand()) != RESTING:
            assert time.monotonic() < until, stand
            time.sleep(0.05)

    def _stand(self) -> dict[str, object]:
        listed = self.get("/v1/executions?limit=50")["items"]
        spent = self.get("/v1/analytics/usage")["total"]["spent_credits"]
        return {**{each["workflow"]: each["status"] for each in listed}, "spent": spent}

    def newest_of(self, word: str) -> str:
        listed = self.get("/v1/executions?limit=50")["items"]
        return next(each["id"] for each in listed if word in each["workflow"])

    def put(self, path: str, body):
        reply = httpx.put(
            self.server.base_url + path,
            json=body,
            headers=self.server.headers,
            timeout=TIMEOUT_S,
            verify=IN_CLEAR,
        )
        assert reply.status_code < 300, reply.text


def clean(text: str) -> str:
    """Return `text` without the control characters that tags, business keys and names in code refuse."""
    return "".join(character for character in text if character.isprintable())[:200]


@dataclass(frozen=True)
class Place:
    """A page or a detail: its name, its page, and the id of what a detail shows."""

    name: str
    page: str
    id_of: Callable[[Gallery], str] | None = None

    async def go(self, driver: Driver, gallery: Gallery) -> None:
        """Show it, with nothing on top of it."""
        key = next(page.key for page in PAGES if page.name == self.page)
        while driver.app.screen.is_modal:
            driver.app.screen.dismiss(None)
            await driver.settle()
        await driver.press(key)
        while len(driver.app.screen_stack) > 1:
            driver.app.pop_screen()
            await driver.settle()
        if self.id_of is not None:
            driver.app.open_id(self.id_of(gallery))
            await driver.settle()


PLACES = [
    *(Place(page.name, page.name) for page in PAGES),
    Place("execution", "executions", lambda gallery: gallery.execution),
    Place("failure", "failures", lambda gallery: gallery.failed),
    Place("workflow", "automation", lambda gallery: gallery.workflow),
    Place("schedule", "automation", lambda gallery: gallery.schedule),
    Place("trigger", "automation", lambda gallery: gallery.trigger),
]
