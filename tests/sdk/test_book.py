import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import omium
from omium.jsonvalue import input_record
from omium.sdk import carrying
from omium.sdk.book import Blocked, Book, Entry, Reuse, Run
from omium.sdk.identity import Scope
from tests.sdk.edge import Edge, entered, record

KILLED_AND_RESUMED = 1_000


def ask(book, scope, digest, name="s", *, key=None, **options):
    return book.look_up(scope, scope.allot(name, key), digest, **options)


def path_of(number, name="s"):
    return name if number == 1 else f"{name}#{number}"


@given(st.lists(st.integers(0, 4), max_size=8), st.lists(st.integers(0, 4), max_size=8), st.randoms())
def test_racing_calls_get_the_records_of_their_own_input_whatever_the_order(recorded, further, chance):
    records = [record(path_of(k), f"d{x}", x) for k, x in enumerate(recorded, start=1)]
    calls = recorded + further
    chance.shuffle(calls)
    book, scope = Book(records), Scope()

    answers = [(x, ask(book, scope, f"d{x}", in_order=False)) for x in calls]

    reused = [(x, answer.entry) for x, answer in answers if isinstance(answer, Reuse)]
    assert all(entry.output == x for x, entry in reused)
    assert len({entry.path for _, entry in reused}) == len(reused) == len(recorded)
    ran = [answer for _, answer in answers if isinstance(answer, Run)]
    assert not any(run.supersedes for run in ran)
    assert {run.identity.path for run in ran}.isdisjoint(record["path"] for record in records)
    assert len({run.identity.path for run in ran}) == len(ran)


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_calls_in_order_never_get_another_inputs_record_and_never_share_one(recorded, calls):
    book, scope = Book([record(path_of(k), f"d{x}", x) for k, x in enumerate(recorded, start=1)]), Scope()

    answers = [(x, ask(book, scope, f"d{x}")) for x in calls]

    reused = [(x, answer.entry) for x, answer in answers if isinstance(answer, Reuse)]
    assert all(entry.output == x for x, entry in reused)
    assert len({entry.path for _, entry in reused}) == len(reused)
    written = [answer.identity.path for _, answer in answers if isinstance(answer, Run)]
    assert len(set(written)) == len(written)
    assert set(written).isdisjoint(entry.path for _, entry in reused)


def test_a_call_in_order_with_another_input_replaces_the_record():
    book, scope = Book([record("s", "d1", 1)]), Scope()

    answer = ask(book, scope, "d2")

    assert answer == Run(answer.identity, attempt=2, supersedes=True)


def test_a_done_effect_with_another_input_is_blocked():
    done = record("s", "d1", 1, kind="effect", effect_state="done")

    assert isinstance(ask(Book([done]), Scope(), "d2", effect=True), Blocked)
    assert isinstance(ask(Book([done]), Scope(), "d2", effect=True, in_order=False), Blocked)


def test_an_undecided_effect_is_taken_over_by_the_call_with_its_input_under_its_own_number():
    undecided = record("s#2", "d2", status="failed", kind="effect", effect_state="not_applied", attempt=1)

    answer = ask(Book([undecided]), Scope(), "d2", effect=True, in_order=False)

    assert (answer.identity.path, answer.identity.occurrence, answer.attempt) == ("s#2", 2, 2)


def test_a_call_with_a_key_finds_only_the_record_of_its_key():
    book, scope = Book([record("a", "d1", 1, name="s", explicit_key=True), record("s", "d1", 2)]), Scope()

    assert ask(book, scope, "d1", key="a").entry.output == 1
    assert isinstance(ask(book, scope, "d1", key="b"), Run)
    assert ask(book, scope, "d1").entry.output == 2


def test_a_keyed_record_is_never_given_to_a_call_without_the_key():
    book, scope = Book([record("a", "d1", 1, name="s", explicit_key=True)]), Scope()

    assert isinstance(ask(book, scope, "d1", in_order=False), Run)


def test_records_of_another_scope_do_not_match():
    book = Book([record("outer/s", "d1", 1)])

    assert isinstance(ask(book, Scope(), "d1"), Run)
    assert isinstance(ask(book, Scope("outer", 1), "d1"), Reuse)


def test_a_new_try_of_the_outer_step_finds_inner_effects_and_no_inner_plain_steps():
    book = Book()
    book.add(Entry("o/s", "s", "d", "step", "completed", 1, claimed=True))
    book.add(Entry("o/e", "e", "d", "effect", "completed", 1, effect_state="done", claimed=True))
    book.add(Entry("other", "other", "d", "step", "completed", 1, claimed=True))

    book.open_again("o", effects_only=True)

    assert ask(book, Scope("o", 1), "d", "s").attempt == 2
    assert isinstance(ask(book, Scope("o", 1), "d", "e", effect=True), Reuse)
    assert isinstance(ask(book, Scope(), "d", "other"), Run)


def test_values_are_asked_for_together_and_those_in_use_are_not():
    book, scope = Book([record(path_of(k), f"d{k}", inline=False) for k in range(1, 50)]), Scope()
    first = ask(book, scope, "d1")

    missing = book.list_missing(first.entry)

    assert missing[0] == "s"
    assert len(missing) == 32
    book.fill((path, path) for path in missing)
    assert book.take(first.entry) == "s"
    assert book.list_missing(ask(book, scope, "d40").entry)[0] == "s#40"


@settings(max_examples=20)
@given(st.randoms())
def test_a_pool_that_was_killed_anywhere_resumes_with_the_right_result_for_every_input(chance):
    inputs = list(range(8))
    kept = chance.sample(inputs, chance.randrange(len(inputs) + 1))
    records = [record(path_of(k), input_record({"x": x}).digest, x * x) for k, x in enumerate(kept, start=1)]
    edge, ran = Edge(), []

    @omium.step(name="s")
    def square(x):
        ran.append(x)
        return x * x

    carrying.begin()
    try:
        chance.shuffle(inputs)
        with entered(edge.driving(records)), ThreadPoolExecutor(4) as pool:
            assert list(pool.map(square, inputs)) == [x * x for x in inputs]
    finally:
        carrying.end()

    assert sorted(ran) == sorted(set(inputs) - set(kept))


def test_no_order_of_racing_threads_mixes_results_up():
    """The gate of docs/architecture.md: killed anywhere, resumed in any order, a thousand times."""
    chance = random.Random(11)
    for _ in range(KILLED_AND_RESUMED // 8):
        inputs = [chance.randrange(5) for _ in range(8)]
        kept = inputs[: chance.randrange(9)]
        book, scope = Book([record(path_of(k), f"d{x}", x) for k, x in enumerate(kept, 1)]), Scope()
        start, results = threading.Barrier(8), []

        def call(x, book=book, scope=scope, start=start, results=results):
            start.wait()
            answer = ask(book, scope, f"d{x}", in_order=False)
            results.append((x, answer))

        threads = [threading.Thread(target=call, args=(x,)) for x in inputs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        reused = [(x, answer.entry) for x, answer in results if isinstance(answer, Reuse)]
        assert all(x == entry.output for x, entry in reused)
        assert len(reused) == len(kept) == len({entry.path for _, entry in reused})


@pytest.mark.parametrize("kind", ["step", "workflow", "child"])
def test_only_effects_survive_the_failure_of_what_is_around_them(kind):
    book = Book([record("o/s", "d", 1, kind=kind)])

    book.open_again("o", effects_only=True)

    assert isinstance(ask(book, Scope("o", 1), "d", "s"), Run)
