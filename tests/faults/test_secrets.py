"""Secrets that users handle come back equal, and are in no file, log, backup, metric or command line."""

import base64
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import omium
from omium.config import load_settings
from omium.sdk.session import Session, use_session
from tests.faults.drivers import Asking
from tests.faults.patience import PATIENCE_S
from tests.faults.proxy import Proxy

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
UPPER = ALPHABET[:26] + "234567"


def draw_secrets(chance) -> dict[str, str]:
    """Return one of each kind, like real ones and not."""

    def text(length: int, letters: str = ALPHABET) -> str:
        return "".join(chance.choice(letters) for _ in range(length))

    return {
        "openai": f"sk-proj-{text(60)}",
        "github": f"ghp_{text(36)}",
        "aws": f"AKIA{text(16, UPPER)}",
        "url": f"https://user:{text(24)}@db.internal/orders",
        "password": f"hunter2-{text(12)}",
    }


class Integration:
    """A workflow whose steps take, print, raise and return secrets."""

    def __init__(self, secrets: dict[str, str], durability: str, named: str = "") -> None:
        self.ran: list[str] = []
        self.secrets = secrets
        self.named = named

        @omium.step
        def fetch():
            self.ran.append("fetch")
            known = {name: secret for name, secret in secrets.items() if name != "password"}
            return {
                "api_key": secrets["openai"],
                "all": list(known.values()),
                "password": secrets["password"],
            }

        @omium.step
        def find():
            return {"found": named}  # nothing else in it would have it sealed

        @omium.step
        def use(found):
            print("using", found["api_key"], named)
            self.ran.append("use")
            omium.checkpoint("found", {"token": secrets["github"]})
            if self.ran.count("use") == 1:
                raise ValueError(f"refused for {secrets['github']} {named}")
            return found

        @omium.workflow(name=f"integrate-{durability}", durability=durability)
        def integrate(token):
            return use(fetch() | find())

        self.run: Callable[[str], object] = integrate

    @property
    def expected(self) -> dict[str, object]:
        known = [secret for name, secret in self.secrets.items() if name != "password"]
        return {
            "api_key": self.secrets["openai"],
            "all": known,
            "password": self.secrets["password"],
            "found": self.named,
        }


@contextlib.contextmanager
def session_of(running, base_url: str, folder: Path, monkeypatch):
    monkeypatch.setenv("OMIUM_BASE_URL", base_url)
    monkeypatch.setenv("OMIUM_API_KEY", running.api_key)
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(folder))
    session = Session(load_settings())
    use_session(session)
    try:
        yield session
    finally:
        session.close()
        use_session(None)


def try_secrets(gate, running, tmp_path, monkeypatch, secrets: dict[str, str]) -> None:
    """Let secrets go every way that there is, then look for them in everything that is left of it."""
    network, spool, asking = (
        Proxy(running.port),
        tmp_path / "offline",
        Asking(running.base_url, running.headers),
    )
    named, hook, signing = set_oversight(asking, gate.random)
    with session_of(running, running.base_url, tmp_path / "online", monkeypatch):
        integration = Integration(secrets, "strict", named)
        with pytest.raises(ValueError, match="refused"):
            integration.run(secrets["aws"])
        failed = asking.get("/v1/executions?limit=1")["items"][0]["id"]
        got = omium.resume(failed)
        gate.lost(got != integration.expected, f"they came back as {got}")
        gate.lost(integration.ran != ["fetch", "use", "use"], f"it ran {integration.ran}")
    network.cut()
    with session_of(running, network.url, spool, monkeypatch) as session:
        with pytest.raises(ValueError, match="refused"):
            Integration(secrets, "relaxed").run(secrets["aws"])
        left = read_all(spool)
        gate.lost(b"OMSPOOL" not in left, "nothing was spooled")
        network.heal()
        gate.lost(not session.transport.spool.send_live(within_s=PATIENCE_S), "what was spooled was not sent")
    backup = Path(asking.post("/v1/admin/backup").json()["file"]).read_bytes()
    shown = b"".join(asking.read(path) for path in list_shown(asking))
    process = b"".join(Path(f"/proc/{running.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    while_running = read_all(running.data)  # with the log of what is not in the file yet
    running.stop()
    asking.close()
    network.close()
    everything = {
        "database and its folder": while_running + read_all(running.data),
        "backup": backup,
        "spool": left + read_all(spool),
        "log": running.log().encode(),
        "answers for people and metrics": shown,
        "command line and environment": process,
    }
    own = {"own key": running.api_key, "named secret": named, "webhook": hook, "signing secret": signing}
    for name, secret in {**secrets, **own}.items():
        for place, content in everything.items():
            found = any(each in content for each in list_spellings(secret))
            gate.lost(found, f"the {name} is in clear in: {place}")
            gate.tried(1, "searches")


def set_oversight(asking: Asking, chance) -> tuple[str, str, str]:
    """Set a named secret that looks like nothing, and a rule whose address has one; return them and the
    rule's signing secret."""
    named = " ".join("".join(chance.choice(ALPHABET[26:52]) for _ in range(8)) for _ in range(4))
    hook = "".join(chance.choice(ALPHABET) for _ in range(24))
    assert asking.put("/v1/secrets/search_key", {"value": named}).status_code == 200
    rule = {"name": "hook", "channel": "webhook", "destination": f"https://hooks.invalid/{hook}"}
    added = asking.post("/v1/alerts/rules", rule).json()
    asking.post(f"/v1/alerts/rules/{added['id']}/test")  # is tried, and fails: the name leads nowhere
    return named, hook, added["signing_secret"]


def list_spellings(secret: str) -> list[bytes]:
    plain = secret.encode()
    return [plain, json.dumps(secret)[1:-1].encode(), plain.hex().encode(), base64.b64encode(plain)[:-4]]


def list_shown(asking: Asking) -> list[str]:
    """Return every address at which people are shown something of executions."""
    paths = ["/metrics", "/v1/failures", "/v1/usage", "/v1/keys", "/v1/workers", "/v1/breakers"]
    paths += ["/v1/secrets", "/v1/audit", "/v1/alerts/rules", "/v1/alerts/deliveries"]
    for execution in asking.get("/v1/executions?limit=50")["items"]:
        path = f"/v1/executions/{execution['id']}"
        paths += [
            path,
            *(f"{path}/{part}" for part in ("events", "steps", "attempts", "logs", "checkpoints")),
        ]
    return paths + [f"/v1/failures/{each['id']}" for each in asking.get("/v1/failures")["items"]]


def read_all(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.gate(
    promise="Secrets that steps take, print, raise and return come back equal, and are nowhere in clear.",
    fault="Eight kinds of secrets, searched in database, log, spool, backup, answers, metrics, command line.",
)
def test_secrets_come_back_equal_and_are_found_nowhere(gate, serve, tmp_path, monkeypatch):
    for number in gate.paced(short=1, long=50):
        secrets = draw_secrets(gate.random)
        try_secrets(gate, serve(), tmp_path / f"round{number}", monkeypatch, secrets)


@pytest.mark.planted(
    bug="Outputs are stored as they come", gate="test_secrets_come_back_equal_and_are_found_nowhere"
)
def test_the_gate_catches_outputs_that_are_stored_as_they_come(trial, serve, tmp_path, monkeypatch):
    running = serve(bug="no-sealing")
    try_secrets(trial, running, tmp_path / "round", monkeypatch, draw_secrets(trial.random))
