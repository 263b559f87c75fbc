"""Random specs on the real engine, whose server dies after every event, beside an interpreter of the rules.

The interpreter shares no line with the engine (tests/reference_engine.py); what dies, when, and what is said
twice or too late is tests/reference/driven.py.
"""

import asyncio
import random

import pytest

from omium.clock import ManualClock
from omium.server.engine.values import Vault
from omium.server.seal import KeyFile
from tests.faults.planted import plant
from tests.reference.driven import Deaths, Driven, list_differences
from tests.reference.specs import Script, Shape, random_workflow
from tests.reference_engine import Reference

TOPIC = {"topic": "tea"}
SHAPE = Shape(effects=0.15, units_max=3)


async def try_spec(url, vault, seed, *, reopened, commits_max):
    """Run one random spec to its end through every death; return what is not as the rules have it."""
    spec, catalog = random_workflow(random.Random(seed), SHAPE)
    script = Script(seed)
    driven = Driven(
        url,
        ManualClock(),
        vault,
        script,
        random.Random(seed),
        Deaths.EVERYWHERE,
        reopened=reopened,
        commits_max=commits_max,
    )
    await driven.open()
    try:
        told = await driven.run(spec, catalog, TOPIC)
    finally:
        await driven.close()
    reference = Reference(spec, TOPIC, script, winners=driven.winners, catalog=catalog)
    reference.run(random.Random(seed))
    found = list(list_differences(told, reference))
    found += [f"{path} happened twice" for path in driven.list_doubled()]
    return found, driven.died


def try_specs(gate, url, folder, *, short, long, planted=False):
    vault = Vault(KeyFile.open(folder / "keys"))
    for number in gate.each(short=short, long=long, what="specs"):
        seed = gate.random.randrange(10**9)
        reopened = 1.0 if number % 20 == 0 else 0.02
        try:
            trying = try_spec(url, vault, seed, reopened=reopened, commits_max=200 if planted else 3_000)
            found, died = asyncio.run(trying)
        except Exception as error:
            if planted or isinstance(error, AssertionError):
                gate.lost(1, f"seed {seed}: {type(error).__name__}: {error}")
                continue
            raise
        gate.lost(len(found), f"seed {seed}: {found[:3]}")
        gate.figure("deaths in one execution, at most", died)


@pytest.mark.gate(
    promise="A spec does what its rules say: the same nodes and outputs, each effect at most once.",
    fault="The server dies before and after each commit of random specs; grants get lost, reports repeat.",
)
@pytest.mark.timeout(100_000)
def test_specs_run_as_an_interpreter_says_whenever_the_server_dies(gate, database_url, tmp_path):
    is_file = not database_url.startswith("postgres")
    try_specs(
        gate,
        database_url,
        tmp_path,
        short=60 if is_file else 10,
        long=15_000 if is_file else 5_000,
    )


@pytest.mark.planted(
    bug="A grant that is over still ends its task",
    gate="test_specs_run_as_an_interpreter_says_whenever_the_server_dies",
)
def test_the_gate_catches_a_zombie_that_ends_a_node(trial, tmp_path, monkeypatch):
    plant("any-grant-ends-a-task", monkeypatch)
    try_specs(trial, str(tmp_path / "omium.db"), tmp_path, short=40, long=40, planted=True)


@pytest.mark.planted(
    bug="What follows from an end is committed apart from it",
    gate="test_specs_run_as_an_interpreter_says_whenever_the_server_dies",
)
def test_the_gate_catches_a_record_without_what_follows(trial, tmp_path, monkeypatch):
    plant("commit-each-statement", monkeypatch)
    try_specs(trial, str(tmp_path / "omium.db"), tmp_path, short=40, long=40, planted=True)


@pytest.mark.planted(
    bug="An effect whose caller was lost is called again",
    gate="test_specs_run_as_an_interpreter_says_whenever_the_server_dies",
)
def test_the_gate_catches_an_effect_that_is_called_again(trial, tmp_path, monkeypatch):
    plant("effects-are-repeatable", monkeypatch)
    try_specs(trial, str(tmp_path / "omium.db"), tmp_path, short=60, long=60, planted=True)
