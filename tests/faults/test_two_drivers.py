"""Two live drivers of one execution, the network of the first cut and healed: no effect happens twice."""

import pytest

from tests.faults.drivers import SHORT_LEASES, Crew, crew_of, run_relaxed, serve_orders, until
from tests.faults.patience import PATIENCE_S
from tests.faults.proxy import Proxy

AT_ONCE = 4
STEPS = 6
ENDED = ("completed", "paused")


def cut_off_worker(gate, running, folder) -> None:
    """Cut a worker off somewhere in its work, heal its network while another one does that work, and look."""
    proxy = Proxy(running.port)
    with crew_of(running, folder) as crew:
        crew.start(serve_orders, proxy.url, AT_ONCE)
        ids = {order: crew.queue(order, STEPS) for order in (f"c{number}" for number in range(AT_ONCE))}
        enough = gate.random.randrange(AT_ONCE, AT_ONCE * STEPS)
        until(lambda: len(crew.noted()) >= enough, "the moment to cut")
        first = crew.noted()[0][2]
        proxy.cut()
        crew.start(serve_orders, running.base_url, AT_ONCE)
        until(lambda: any(pid != first for _, _, pid in crew.noted()) or has_ended(crew, ids), "a takeover")
        proxy.heal()
        until(lambda: has_ended(crew, ids), "the end of all")
        until(lambda: has_heard(crew, first), "that the first worker hears of it")
        for each in ids.values():
            if crew.asking.status(each) == "paused":  # cut off between paying and saying so
                crew.asking.decide_as_paid(each)
        until(lambda: has_ended(crew, ids, "completed"), "the completion of all")
        gate.tried(AT_ONCE, "cuts")
        look(gate, crew, ids)
    proxy.close()


def has_ended(crew: Crew, ids: dict[str, str], *statuses: str) -> bool:
    return all(crew.asking.status(each) in (statuses or ENDED) for each in ids.values())


def has_heard(crew: Crew, pid: int) -> bool:
    """Say whether the driver `pid` has left every execution that it began."""
    noted = [(word, what.partition("-")[0]) for word, what, by in crew.noted() if by == pid]
    left = {order for word, order in noted if word in ("lost", "returned")}
    return left == {order for _, order in noted}


def cut_off_script(gate, running, folder) -> None:
    """Cut relaxed drivers off for longer than a lease: nobody takes over, and nothing is lost."""
    proxy = Proxy(running.port)
    with crew_of(running, folder) as crew:
        orders = [f"{folder.name}-{number}" for number in range(AT_ONCE)]
        scripts = [crew.start(run_relaxed, proxy.url, order, STEPS) for order in orders]
        enough = gate.random.randrange(AT_ONCE, AT_ONCE * STEPS)
        until(lambda: len(crew.noted()) >= enough, "the moment to cut")
        proxy.cut()
        until(lambda: not any(is_heard(each) for each in list_relaxed(crew)), "that nobody hears of them")
        listed = list_relaxed(crew)
        taken = [each for each in listed if each["status"] not in ("running", "completed")]
        proxy.heal()
        printed = [script.finish(PATIENCE_S) for script in scripts]
        gate.lost(len(taken), f"taken from its relaxed driver: {taken}")
        gate.tried(AT_ONCE, "cuts")
        ids = {}
        for order, (code, output) in zip(orders, printed, strict=True):
            expected = [f"receipt {order}-{number}" for number in range(STEPS)]
            gate.lost(output.strip() != str(expected) or code != 0, f"{order}: {code} {output}")
            (ids[order],) = [
                each["id"] for each in listed if crew.asking.detail(each["id"])["input"]["order"] == order
            ]
        until(lambda: has_ended(crew, ids, "completed", "failed"), "the end of all")
        look(gate, crew, ids)
    proxy.close()


def list_relaxed(crew: Crew) -> list[dict[str, object]]:
    return crew.asking.get("/v1/executions?workflow=relaxed-orders&limit=100")["items"]


def is_heard(execution: dict[str, object]) -> bool:
    """Say whether the server still counts on the driver's lease."""
    return execution["status"] == "running" and not execution["silent"]


def look(gate, crew: Crew, ids: dict[str, str]) -> None:
    for order, each in ids.items():
        output = crew.asking.detail(each)["output"]
        expected = [f"receipt {order}-{number}" for number in range(STEPS)]
        gate.lost(output != expected, f"{order}: {output}")
    gate.lost(len(twice := crew.paid_more_than_once()), f"paid twice: {twice}")


@pytest.mark.gate(
    promise="A strict driver that was cut off and replaced, and its replacement, pay once together.",
    fault="The network of a worker cut at a random moment, and healed while another does its work.",
)
def test_a_strict_driver_that_was_cut_off_and_the_one_that_replaced_it_pay_once(gate, serve, tmp_path):
    running = serve(**SHORT_LEASES)
    for number in gate.paced(short=1, long=200 // AT_ONCE):
        cut_off_worker(gate, running, tmp_path / f"crew{number}")


@pytest.mark.gate(
    promise="A relaxed driver that was cut off is not replaced, loses nothing and pays once.",
    fault="The network of scripts cut at a random moment for longer than a lease.",
)
def test_a_relaxed_driver_that_was_cut_off_is_not_replaced_and_loses_nothing(gate, serve, tmp_path):
    running = serve(**SHORT_LEASES)
    for number in gate.paced(short=1, long=200 // AT_ONCE):
        cut_off_script(gate, running, tmp_path / f"crew{number}")


@pytest.mark.planted(
    bug="What a lost driver began counts as not begun",
    gate="test_a_strict_driver_that_was_cut_off_and_the_one_that_replaced_it_pay_once",
)
def test_the_gate_catches_an_effect_that_is_begun_twice(trial, serve, tmp_path):
    running = serve(bug="begun-counts-as-not-begun", **SHORT_LEASES)
    for number in range(5):
        if not trial.losses:
            cut_off_worker(trial, running, tmp_path / f"crew{number}")


@pytest.mark.planted(
    bug="Who is silent is lost, relaxed or not",
    gate="test_a_relaxed_driver_that_was_cut_off_is_not_replaced_and_loses_nothing",
)
def test_the_gate_catches_a_relaxed_driver_that_is_given_up(trial, serve, tmp_path, long_only):
    running = serve(bug="silence-is-a-loss", **SHORT_LEASES)
    for number in trial.paced(short=3, long=3):
        cut_off_script(trial, running, tmp_path / f"crew{number}")
