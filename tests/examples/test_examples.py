"""The examples run as their first lines say."""

from pathlib import Path

import omium

EXAMPLES = Path(omium.__file__).parents[1] / "examples"


def shop(server):
    path = server.folder / "shop.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_the_plain_report(server):
    code, out, err = server.run(EXAMPLES / "plain_sync.py", "otters")

    assert (code, out) == (0, "OTTERS: FACT 1; OTTERS: FACT 2; OTTERS: FACT 3\n"), err
    assert [step["name"] for step in server.newest()["steps"]].count("summarise") == 3


def test_the_async_panel(server):
    code, out, err = server.run(EXAMPLES / "plain_async.py")

    assert code == 0, err
    assert out.splitlines()[1] == "sceptic: sceptic on checkpoints"


def test_the_thread_pool(server):
    code, out, err = server.run(EXAMPLES / "threads.py")

    assert code == 0, err
    assert len(out.splitlines()) == 12
    assert len(server.newest()["steps"]) == 12


def test_an_order_that_goes_well(server):
    code, out, err = server.run(EXAMPLES / "order_saga.py")

    assert (code, out) == (0, "kettle is on its way\n"), err
    assert shop(server) == ["reserve kettle", "pay 40 for kettle", "ship kettle"]


def test_a_payment_whose_outcome_is_unknown_is_never_made_again_unasked(server):
    code, _, _ = server.run(EXAMPLES / "order_saga.py", "lost")
    assert code == 9
    order = server.newest()

    go_on = server.write(
        "go_on.py",
        f"""
        import sys
        sys.path.insert(0, {str(EXAMPLES)!r})
        import order_saga, omium
        try:
            print(omium.resume({order["id"]!r}))
        except (omium.Suspended, omium.Problem) as stopped:
            print("stopped:", stopped)
        """,
    )
    _, out, err = server.run(go_on)

    assert "stopped:" in out, err
    assert shop(server) == ["reserve kettle", "pay 40 for kettle"]
    effects = server.get(f"/v1/executions/{order['id']}/effects")["items"]
    assert {effect["name"]: effect["state"] for effect in effects} == {"reserve": "done", "pay": "unknown"}

    key = next(effect["effect_key"] for effect in effects if effect["name"] == "pay")
    server.post(
        f"/v1/executions/{order['id']}/effects/{key}/decide",
        {"decision": "confirm", "output": "receipt-1", "reason": "the provider has it"},
    )
    code, out, err = server.run(go_on)

    assert (code, out) == (0, "kettle is on its way\n"), err
    assert shop(server) == ["reserve kettle", "pay 40 for kettle", "ship kettle"]


def test_an_order_is_taken_back_in_reverse_order(server):
    code, _, _ = server.run(EXAMPLES / "order_saga.py", "elephant")
    assert code == 1
    order = server.newest()
    assert order["status"] == "failed"

    answer = server.post(f"/v1/executions/{order['id']}/rollback", {"to_step": "reserve"})
    assert answer["plan"]["compensations"] == ["pay", "reserve"]
    arguments = ["worker", str(EXAMPLES / "order_saga.py"), "--once", "--execution", order["id"]]
    compensate = server.write(
        "compensate.py", f"import sys; from omium.cli.main import run; sys.exit(run({arguments!r}))"
    )
    _, out, err = server.run(compensate)

    assert shop(server) == [
        "reserve elephant",
        "pay 40 for elephant",
        "refund receipt-1",
        "put back elephant",
    ], (out, err)
    assert server.detail(order["id"])["status"] == "paused"


def test_the_support_desk_answers_or_waits_for_a_person(server):
    code, out, err = server.run(EXAMPLES / "langgraph_support.py", "Where is it?")
    assert (code, out) == (0, "About your question: done.\n"), err

    _, out, err = server.run(EXAMPLES / "langgraph_support.py", "I want my money back")
    assert "waiting for a person" in out, err
    assert server.newest()["status"] == "waiting"

    thread = out.split()[-1]
    _, out, err = server.run(EXAMPLES / "langgraph_support.py", "--thread", thread, "yes")
    assert out == "About your refund: done.\n", err
    assert server.newest()["status"] == "completed"
