"""Rates: a runaway loop is slowed down, and who guesses keys is stopped before the database is asked."""

import pytest

from omium.apikeys import make_api_key
from omium.clock import ManualClock
from omium.errors import RateLimited
from omium.ids import new_id
from omium.server.settings import ServerSettings
from omium.server.web.hosts import HostPolicy, is_loopback
from omium.server.web.limits import BUCKETS_MAX, TokenBuckets


def test_a_bucket_gives_its_burst_then_its_rate():
    clock = ManualClock()
    buckets = TokenBuckets(clock, rate_per_s=2, burst=3, whose="key")

    for _ in range(3):
        buckets.take("a")
    with pytest.raises(RateLimited) as refused:
        buckets.take("a")
    buckets.take("b")
    clock.advance(seconds=0.5)
    buckets.take("a")

    assert refused.value.members["retry_after_s"] == 1
    with pytest.raises(RateLimited):
        buckets.take("a")


def test_buckets_are_bounded_and_the_longest_unused_is_forgotten():
    buckets = TokenBuckets(ManualClock(), rate_per_s=1, burst=1, whose="address")
    buckets.take("first")
    for number in range(BUCKETS_MAX):
        buckets.take(str(number))

    assert not buckets.is_empty("first")
    assert buckets.is_empty("1")


async def test_a_key_beyond_its_rate_waits(make_app_client):
    async with make_app_client(requests_per_key_per_s=1.0, rate_burst_s=2.0) as client:
        other = client.as_key(await client.new_key())
        codes = [(await client.get("/v1/whoami")).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert (await other.get("/v1/whoami")).status_code == 200
        client.clock.advance(seconds=1)
        assert (await client.get("/v1/whoami")).status_code == 200


async def test_a_tenant_beyond_its_rate_waits_whatever_key_it_takes(make_app_client):
    async with make_app_client(requests_per_tenant_per_s=1.0, rate_burst_s=2.0) as client:
        other = client.as_key(await client.new_key())
        stranger = await client.new_tenant()
        codes = [(await who.get("/v1/whoami")).status_code for who in (client, other, client, stranger)]
        assert codes == [200, 200, 429, 200]


async def test_who_guesses_keys_is_stopped_before_the_database_is_asked(make_app_client):
    async with make_app_client(requests_per_address_per_s=1.0, rate_burst_s=2.0) as client:
        guesser = client.as_nobody(peer="203.0.113.9")
        codes = []
        for number in range(4):
            guess = make_api_key("dev", new_id("ak", number)).token
            reply = await guesser.get("/v1/whoami", headers={"authorization": f"Bearer {guess}"})
            codes.append(reply.status_code)
        reads = client.server.db.counters().reads
        await guesser.get("/v1/whoami", headers={"authorization": f"Bearer {client.api_key}"})

        assert codes == [401, 401, 429, 429]
        assert client.server.db.counters().reads == reads
        assert (await client.get("/v1/whoami")).status_code == 200


async def test_open_addresses_are_limited_for_strangers_only(make_app_client):
    async with make_app_client(requests_per_address_per_s=1.0, rate_burst_s=2.0) as client:
        stranger, local = client.as_nobody(peer="203.0.113.9"), client.as_nobody()
        assert [(await stranger.get("/readyz")).status_code for _ in range(3)] == [200, 200, 429]
        assert [(await local.get("/readyz")).status_code for _ in range(3)] == [200] * 3


def policy(tmp_path, **chosen) -> HostPolicy:
    return HostPolicy(ServerSettings(data=tmp_path, **chosen))


def test_forwarded_addresses_count_only_from_configured_proxies(tmp_path):
    plain = policy(tmp_path)
    behind = policy(tmp_path, behind_proxy=("10.0.0.0/8", "127.0.0.1/32"))
    header = {"x-forwarded-for": "198.51.100.7, 203.0.113.9, 10.1.1.1"}

    assert plain.client_address("10.0.0.1", header) == "10.0.0.1"
    assert behind.client_address("10.0.0.1", header) == "203.0.113.9"
    assert behind.client_address("192.0.2.1", header) == "192.0.2.1"
    assert behind.client_address("10.0.0.1", {"x-forwarded-for": "garbage"}) == "10.0.0.1"
    assert behind.client_address("10.0.0.1", {}) == "10.0.0.1"


def test_what_is_loopback():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("", "10.0.0.1", "::ffff:10.0.0.1", "localhost")))


def test_a_wildcard_address_takes_literal_addresses_but_no_foreign_names(tmp_path):
    every = policy(tmp_path, host="0.0.0.0", allowed_hosts=("omium.example",))
    every.check({"host": "192.0.2.7:8720"})
    every.check({"host": "omium.example"})
    with pytest.raises(Exception, match="another server"):
        every.check({"host": "evil.example"})
