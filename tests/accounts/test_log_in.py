"""Logging in: the same answer and the same work for everybody, delays that grow, hashes that are bounded."""

import asyncio
import threading

import pytest

from omium.errors import PasswordsBusy
from omium.server.accounts import throttle
from omium.server.accounts.passwords import AT_ONCE, WAITING_MAX, Passwords, check_password
from tests.accounts.conftest import PASSWORD
from tests.web.asgi import until

WRONG = "not the right one at all"


def _without_id(reply):
    return {name: value for name, value in reply.json().items() if name != "request_id"}


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer_for_the_same_work(each_people):
    people = each_people
    await people.first()
    passwords, answers, works = people.server.passwords, [], []
    for name, password in (("ada", WRONG), ("nobody", WRONG), ("nobody", PASSWORD)):
        before = passwords.runs, people.server.db.counters().works
        reply = await people.try_log_in(name, password)
        after = passwords.runs, people.server.db.counters().works
        answers.append((reply.status_code, _without_id(reply), reply.headers.get("www-authenticate")))
        works.append((after[0] - before[0], after[1] - before[1]))

    assert answers[0][0] == 401
    assert answers[0][1]["code"] == "login-refused"
    assert answers[0] == answers[1] == answers[2]
    assert works[0][0] == 1
    assert works[0] == works[1] == works[2]


async def test_a_disabled_user_gets_the_same_answer_too(people):
    from omium.server.store import users

    ada = await people.first()
    bob = await people.join(ada, "bob", "viewer")
    bob_id = bob.session["user_id"]
    await people.server.db.write(lambda tx: users.set_status(tx, bob_id, users.DISABLED))

    disabled = await people.try_log_in("bob")
    unknown = await people.try_log_in("carol")
    people.clock.advance(seconds=2)

    assert disabled.status_code == 401
    assert _without_id(disabled) == _without_id(unknown)
    assert (await bob.get("/v1/whoami")).json()["code"] == "session-ended"


async def test_each_failure_delays_the_next_longer_whether_the_user_exists_or_not(people):
    await people.first()
    waits = {"ada": [], "nobody": []}
    for name, found in waits.items():
        for _ in range(throttle.ACCOUNT.free):
            assert (await people.try_log_in(name, WRONG, peer=f"{name}.test")).status_code == 401
        for _ in range(4):
            delayed = await people.try_log_in(name, WRONG, peer=f"{name}.test")
            assert (delayed.status_code, delayed.json()["code"]) == (429, "login-delayed")
            found.append(int(delayed.headers["retry-after"]))
            people.clock.advance(seconds=found[-1])
            assert (await people.try_log_in(name, WRONG, peer=f"{name}.test")).status_code == 401

    assert waits["ada"] == waits["nobody"] == [2, 4, 8, 16]


async def test_during_a_delay_nothing_is_looked_at_and_nothing_counted(people):
    await people.first()
    for _ in range(throttle.ACCOUNT.free):
        await people.try_log_in("ada", WRONG)
    runs = people.server.passwords.runs

    for _ in range(20):
        assert (await people.try_log_in("ada", PASSWORD)).status_code == 429
    assert people.server.passwords.runs == runs

    people.clock.advance(seconds=2)
    assert (await people.try_log_in("ada", PASSWORD)).status_code == 201


async def test_who_logs_in_begins_anew(people):
    await people.first()
    for _ in range(throttle.ACCOUNT.free - 1):
        await people.try_log_in("ada", WRONG)
    assert (await people.try_log_in("ada")).status_code == 201

    for _ in range(throttle.ACCOUNT.free):
        assert (await people.try_log_in("ada", WRONG)).status_code == 401
    assert (await people.try_log_in("ada")).status_code == 429


async def test_one_password_tried_on_many_accounts_delays_the_address(people):
    await people.first()
    codes = [
        (await people.try_log_in(f"user{number}", WRONG, peer="192.0.2.1")).status_code
        for number in range(throttle.ADDRESS.free + 3)
    ]

    assert codes == [401] * throttle.ADDRESS.free + [429] * 3
    assert (await people.try_log_in("ada", peer="192.0.2.1")).status_code == 429
    assert (await people.try_log_in("ada", peer="192.0.2.2")).status_code == 201


async def test_own_successes_do_not_clear_what_an_address_has_failed(people):
    await people.first()
    for number in range(throttle.ADDRESS.free):
        await people.try_log_in(f"user{number}", WRONG, peer="192.0.2.1")
        if number < throttle.ADDRESS.free - 1:
            assert (await people.try_log_in("ada", peer="192.0.2.1")).status_code == 201

    assert (await people.try_log_in("ada", peer="192.0.2.1")).status_code == 429


async def test_many_at_once_are_counted_before_they_are_compared(each_people):
    people = each_people
    await people.first()

    replies = await asyncio.gather(*(people.try_log_in("ada", WRONG) for _ in range(12)))

    codes = sorted(reply.status_code for reply in replies)
    assert codes == [401] * throttle.ACCOUNT.free + [429] * (12 - throttle.ACCOUNT.free)


async def test_the_counts_outlive_the_server(tmp_path):
    from tests.accounts.conftest import open_people
    from tests.serverfixture import test_settings

    settings = test_settings(tmp_path)
    async with open_people(settings) as people:
        await people.first()
        for _ in range(throttle.ACCOUNT.free):
            await people.try_log_in("ada", WRONG)
    async with open_people(settings) as people:
        assert (await people.try_log_in("ada")).status_code == 429


async def test_what_was_typed_as_a_name_is_not_kept(people):
    await people.first()
    await people.try_log_in("my-secret-password-by-mistake", WRONG)

    folder = people.server.settings.data
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    assert b"my-secret-password-by-mistake" not in stored


async def test_an_ipv6_network_counts_as_one_address(people):
    key_file = people.server.key_file
    one, two, other = (
        throttle.make_attempt(key_file, "ada", address).address
        for address in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")
    )
    mapped, plain = (
        throttle.make_attempt(key_file, "ada", address).address
        for address in ("::ffff:192.0.2.1", "192.0.2.1")
    )

    assert one == two != other
    assert mapped == plain


async def test_the_name_is_compared_without_its_case(each_people):
    await each_people.first("Ada@Example.ORG")

    assert (await each_people.try_log_in("ADA@example.org")).status_code == 201


async def test_more_log_ins_than_may_wait_are_turned_away(people):
    await people.first()
    before = people.server.passwords.runs

    replies = await asyncio.gather(
        *(people.try_log_in(f"user{n}", WRONG, peer=f"192.0.2.{n % 250}") for n in range(60))
    )

    codes = [reply.status_code for reply in replies]
    busy = [reply for reply in replies if reply.status_code == 503]
    assert set(codes) <= {401, 503}
    assert all(reply.headers["retry-after"] == "2" for reply in busy)
    assert people.server.passwords.runs - before == codes.count(401)


async def test_at_most_two_hashes_run_at_once():
    passwords = Passwords(8)
    try:
        begun = [asyncio.create_task(passwords.hash(PASSWORD)) for _ in range(AT_ONCE + WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(PasswordsBusy):
            await passwords.hash(PASSWORD)
        assert len(set(await asyncio.gather(*begun))) == AT_ONCE + WAITING_MAX  # each with its own salt
        assert passwords._threads._max_workers == AT_ONCE
    finally:
        passwords.close()


async def test_a_password_is_hashed_anew_when_more_is_asked_for(tmp_path):
    from omium.server.store import users
    from tests.accounts.conftest import open_people
    from tests.serverfixture import test_settings

    async def digest(people):
        return (await people.server.db.read(lambda tx: users.find_by_name(tx, "ada"))).password

    async with open_people(test_settings(tmp_path)) as people:
        await people.first()
        former = await digest(people)
    async with open_people(test_settings(tmp_path, password_memory_mib=16)) as people:
        assert (await people.try_log_in("ada", WRONG)).status_code == 401
        assert await digest(people) == former
        await people.log_in("ada")
        assert "m=16384," in await digest(people)
        assert "m=8192," in former
        await people.log_in("ada")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("tiny pw", "shorter"),
        ("x" * 1025, "longer"),
        ("Password1234", "tried first"),
        ("aaaabbbbcccc", "tried first"),
        ("ada@example.org1", "user's name"),
    ],
)
async def test_a_weak_password_is_refused_without_being_repeated(people, password, why):
    token = people.server.bootstrap.offer().read_text().strip()

    reply = await people.nobody.post(
        "/v1/sign-up", json={"user": "ada@example.org", "password": password, "token": token}
    )

    assert reply.status_code == 400
    assert reply.json()["errors"][0]["pointer"] == "/password"
    assert password not in reply.text
    if len(password) <= 1024:
        assert why in reply.json()["detail"]


@pytest.mark.parametrize("password", ["four little words here", "ÄÖÜäöüßéèêç-12", "🦊🦉🐢🐝🐙🦔🐳🦜🐿🦩🐌🦋"])
def test_length_is_what_counts(password):
    check_password(password, user="ada")


async def test_another_password_ends_every_session(each_people):
    ada = await each_people.first()
    other = await each_people.log_in("ada")
    new = "another battery of horses"

    wrong = await ada.post("/v1/account/password", json={"password": WRONG, "new_password": new})
    reply = await ada.post("/v1/account/password", json={"password": PASSWORD, "new_password": new})
    fresh = each_people.client(reply.json())

    assert (wrong.status_code, wrong.json()["code"]) == (401, "login-refused")
    assert reply.status_code == 201
    assert [(await client.get("/v1/whoami")).status_code for client in (ada, other, fresh)] == [401, 401, 200]
    assert (await each_people.try_log_in("ada")).status_code == 401
    assert (await each_people.try_log_in("ada", new)).status_code == 201


@pytest.mark.parametrize("change", ["password", "status", "gone"])
async def test_no_session_begins_with_what_was_changed_while_it_was_compared(each_people, change):
    from omium.server.store import users

    people = each_people
    ada = await people.first()
    await people.join(ada, "bob", "viewer")
    db, passwords = people.server.db, people.server.passwords
    may_compare = threading.Event()
    for _ in range(AT_ONCE):
        passwords._threads.submit(may_compare.wait)  # the log-in's own stands behind these

    def work(tx):
        bob = users.find_by_name(tx, "bob")
        if change == "password":
            assert users.set_password(tx, bob.id, bob.password, "another digest")
        elif change == "status":
            users.set_status(tx, bob.id, users.DISABLED)
        else:
            users.delete_user(tx, bob.id)

    try:
        runs = passwords.runs
        trying = asyncio.create_task(people.try_log_in("bob"))
        await until(lambda: passwords.runs > runs)
        await db.write(work)
    finally:
        may_compare.set()
    late = await trying

    expected = (403, "no-tenant") if change == "gone" else (401, "login-refused")
    assert (late.status_code, late.json()["code"]) == expected


async def test_a_password_is_never_logged_or_shown(people, capfd):
    from omium.models.people import LogIn, NewSession, SignUp

    ada = await people.first()
    await people.try_log_in("ada", WRONG)
    await people.try_log_in("ada", PASSWORD, tenant="nowhere")

    written = "".join(capfd.readouterr())
    shown = repr(SignUp(user="a", password=PASSWORD, token="secret-token")) + repr(
        LogIn(user="a", password=PASSWORD)
    )
    assert PASSWORD not in written
    assert WRONG not in written
    assert ada.session["session_token"] not in written
    assert PASSWORD not in shown
    assert "secret-token" not in shown
    assert ada.session["session_token"] not in repr(NewSession.model_validate(ada.session))
