"""The queue in a real RabbitMQ: what is kept, what comes again, what is set aside, and a connection that is lost."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest

from support.schedule_service import own_queue
from tui_app.config.values import Address
from tui_app.domain.errors import CannotConnect
from tui_app.systems.schedules.rabbitmq import LATER, REJECTED, RabbitQueue

IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(40)]


def message(schedule_id):
    return {
        "schedule_id": schedule_id,
        "post_variant_id": "variant",
        "channel_connection_id": "connection",
        "attempt_count": 0,
    }


@pytest.fixture
async def name(amqp_url):
    async with own_queue(amqp_url) as queue:
        yield queue


@pytest.fixture
async def open_queue(amqp_url, name):
    """Opens the queue; every one of them is another connection."""
    opened = []

    def make(url=amqp_url, **how):
        opened.append(RabbitQueue(Address(url), queue=name, **how))
        return opened[-1]

    yield make
    for queue in opened:
        await queue.close()


@asynccontextmanager
async def plain(url):
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel()


async def received(queue):
    """The next message, waited for."""
    async with asyncio.timeout(10):
        while (delivery := await queue.receive()) is None:
            continue
    return delivery


async def test_a_message_is_exactly_what_the_publisher_is_promised_and_survives_the_broker(open_queue, amqp_url, name):
    await open_queue().send([message(IDS[0])])
    async with plain(amqp_url) as channel:
        queue = await channel.declare_queue(name, durable=True)
        found = await queue.get()
        assert json.loads(found.body) == message(IDS[0])
        assert found.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        await found.ack()


async def test_they_come_in_order_and_once_they_are_acknowledged_no_more(open_queue):
    queue = open_queue(prefetch=4)
    await queue.send([message(item) for item in IDS])
    seen = []
    while (delivery := await queue.receive()) is not None:
        seen.append(delivery.schedule_id)
        await queue.acknowledge(delivery)
    assert seen == IDS
    await queue.close()
    assert await open_queue().receive() is None


async def test_what_was_not_acknowledged_comes_again_to_another(open_queue):
    first = open_queue()
    await first.send([message(item) for item in IDS[:3]])
    delivery = await received(first)
    assert (delivery.schedule_id, delivery.deliveries) == (IDS[0], 1)
    await first.close()
    # It is said to be acknowledged, by whoever has lost it meanwhile: it comes again all the same.
    await first.acknowledge(delivery)
    again = await received(open_queue())
    assert (again.schedule_id, again.deliveries) == (IDS[0], 2)


async def test_what_was_given_up_is_given_again(open_queue):
    """Its publisher could not reach the database, and asks for the next one."""
    queue = open_queue()
    await queue.send([message(item) for item in IDS[:2]])
    assert (await received(queue)).schedule_id == IDS[0]
    again = await received(queue)
    assert again.schedule_id == IDS[0]
    await queue.acknowledge(again)
    assert (await received(queue)).schedule_id == IDS[1]


async def test_what_is_put_off_comes_after_a_while_and_holds_nobody_up(open_queue):
    queue = open_queue(prefetch=1, put_off=0.3)
    await queue.send([message(item) for item in IDS[:2]])
    await queue.put_off(await received(queue))
    for wanted in (IDS[1], IDS[0]):
        delivery = await received(queue)
        assert delivery.schedule_id == wanted
        await queue.acknowledge(delivery)
    assert await queue.waiting() == 0


async def test_it_can_be_put_off_again_and_again(open_queue):
    """A broker drops what goes round by itself; this does not."""
    queue = open_queue(put_off=0.05)
    await queue.send([message(IDS[0])])
    for _ in range(5):
        await queue.put_off(await received(queue))
    assert (await received(queue)).schedule_id == IDS[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"schedule_id": 7}',
        b'{"schedule_id": null}',
        b'{"schedule_id": "../../x"}',
        b'{"schedule_id": "a\\u0000b"}',
        b'{"schedule_id": "\\ud800"}',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_message_of_ours_is_set_aside_and_never_comes_again(open_queue, amqp_url, name, body):
    queue = open_queue()
    await queue.waiting()
    async with plain(amqp_url) as channel:
        await channel.default_exchange.publish(aio_pika.Message(body), name)
        await queue.send([message(IDS[0])])

        delivery = await received(queue)
        assert delivery.schedule_id == IDS[0]
        await queue.acknowledge(delivery)

        aside = await (await channel.declare_queue(name + REJECTED, durable=True)).get()
        assert aside.body == body
        assert aside.headers["x-quash-why"]
        await aside.ack()
    await queue.close()
    assert await open_queue().receive() is None


async def test_a_queue_that_is_deleted_under_its_consumer_is_noticed_and_made_again(open_queue, amqp_url, name):
    queue = open_queue()
    assert await queue.receive() is None
    async with plain(amqp_url) as channel:
        await channel.queue_delete(name)
    with pytest.raises(CannotConnect):
        await queue.receive()
    await queue.send([message(IDS[0])])
    assert (await received(queue)).schedule_id == IDS[0]


class Way:
    """A way to the broker that can be cut, and be silent."""

    def __init__(self, url):
        self._there = urlsplit(url)
        self._writers = []
        self.heard = asyncio.Event()
        self.heard.set()
        self.tries = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = self._there.netloc.rpartition("@")[0]
        self.url = urlunsplit(("amqp", f"{user}@127.0.0.1:{port}", self._there.path, "", ""))
        return self

    async def __aexit__(self, *_):
        self.heard.set()
        await self.cut()

    async def cut(self):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.tries += 1
        there = await asyncio.open_connection(self._there.hostname, self._there.port or 5672)
        self._writers += [writer, there[1]]
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer), return_exceptions=True)

    async def _pump(self, source, sink):
        while data := await source.read(65_536):
            await self.heard.wait()
            sink.write(data)
        sink.close()


async def test_a_connection_that_is_cut_is_made_anew_and_nothing_is_lost(open_queue, amqp_url):
    await open_queue().send([message(item) for item in IDS[:2]])
    async with Way(amqp_url) as way:
        queue = open_queue(way.url)
        delivery = await received(queue)
        await way.cut()
        # Either the loss is noticed, or the acknowledgement is: it comes again, and that is all.
        with suppress(CannotConnect):
            await queue.acknowledge(delivery)
    again = await received(open_queue())
    assert (again.schedule_id, again.deliveries) == (IDS[0], 2)


async def test_a_silent_broker_is_given_up(open_queue, amqp_url):
    async with Way(amqp_url) as way:
        queue = open_queue(way.url, patience=0.3)
        assert await queue.waiting() == 0
        way.heard.clear()
        with pytest.raises(CannotConnect):
            await queue.send([message(IDS[0])])


async def test_what_cannot_be_reached_is_said_without_the_password(open_queue):
    queue = open_queue("amqp://guest:secret-word@127.0.0.1:1/")
    with pytest.raises(CannotConnect) as raised:
        await queue.waiting()
    assert "secret-word" not in f"{raised.value} {raised.value.hint}"
    assert "127.0.0.1:1" in str(raised.value)


async def test_wrong_credentials_are_said(open_queue, amqp_url):
    there = urlsplit(amqp_url)
    queue = open_queue(f"amqp://nobody:wrong@{there.hostname}:{there.port or 5672}/")
    with pytest.raises(CannotConnect, match="REFUSED"):
        await queue.waiting()


async def test_a_virtual_host_that_is_not_there_is_said(open_queue, amqp_url):
    queue = open_queue(urlunsplit(urlsplit(amqp_url)._replace(path="/nowhere")))
    with pytest.raises(CannotConnect, match="the broker does not open this virtual host to us") as caught:
        await queue.waiting()
    assert "/nowhere" in caught.value.message
    assert "object at" not in caught.value.message
    assert "The path of `amqp`" in caught.value.hint


async def test_a_broker_that_comes_back_is_used_at_once(open_queue, amqp_url, monkeypatch):
    """How long to wait between two tries is for the runner to say."""
    queue = open_queue()

    async def refused(*_, **__):
        raise ConnectionRefusedError("nobody listens")

    with monkeypatch.context() as patch:
        patch.setattr("tui_app.systems.schedules.rabbitmq.aio_pika.connect", refused)
        for _ in range(3):
            with pytest.raises(CannotConnect, match="nobody listens"):
                await queue.waiting()
    assert await queue.waiting() == 0


ARGUMENTS = {
    "a time to live and a greatest length": {"x-message-ttl": 86_400_000, "x-max-length": 10_000},
    "copies on several nodes": {"x-queue-type": "quorum"},
    "a dead letter exchange": {"x-dead-letter-exchange": "elsewhere"},
}


async def goes_through(queue):
    await queue.send([message(IDS[0])])
    delivery = await received(queue)
    assert delivery.schedule_id == IDS[0]
    await queue.acknowledge(delivery)
    assert await queue.waiting() == 0


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
async def test_a_queue_that_others_made_is_used_as_they_made_it(open_queue, amqp_url, name, arguments):
    async with plain(amqp_url) as channel:
        for one in (name, name + REJECTED):
            await channel.declare_queue(one, durable=True, arguments=arguments)
    await goes_through(open_queue())
    async with plain(amqp_url) as channel:
        assert (await channel.declare_queue(name, durable=True, arguments=arguments)).name == name


async def test_a_queue_that_is_declared_without_a_look_is_refused(open_queue, amqp_url, name, monkeypatch):
    """What the tests above are held against: an adapter that knows only what it would make itself."""

    async def blindly(queue, connection, one):
        async with connection.channel() as channel:
            await channel.declare_queue(one, durable=True)

    async with plain(amqp_url) as channel:
        await channel.declare_queue(name, durable=True, arguments={"x-max-length": 10_000})
    monkeypatch.setattr(RabbitQueue, "_make_sure_of", blindly)
    with pytest.raises(CannotConnect, match="PRECONDITION_FAILED"):
        await open_queue().waiting()


async def test_a_queue_that_somebody_makes_in_the_same_moment_is_used(open_queue, amqp_url, name, monkeypatch):
    honest, looks = RabbitQueue._declared, []

    async def late(queue, connection, one):
        looks.append(one)
        found = await honest(queue, connection, one)
        if looks == [name]:
            async with plain(amqp_url) as channel:
                await channel.declare_queue(name, durable=True, arguments={"x-max-length": 10_000})
        return found

    monkeypatch.setattr(RabbitQueue, "_declared", late)
    await goes_through(open_queue())
    assert looks.count(name) == 2


async def test_a_queue_for_later_that_gives_nothing_back_is_named(open_queue, amqp_url, name):
    async with plain(amqp_url) as channel:
        await channel.declare_queue(name + LATER, durable=True)
    with pytest.raises(CannotConnect, match=f"{name + LATER} is there with other arguments"):
        await open_queue().waiting()


async def test_a_look_tells_what_is_there_and_makes_nothing(open_queue, amqp_url, name):
    assert "no such queue yet" in await open_queue().look()
    async with plain(amqp_url) as channel:
        await channel.declare_queue(name, durable=True, arguments={"x-max-length": 10_000})
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), name)
    assert await open_queue().look() == "messages that wait: 1; consumers: 0"
    with pytest.raises(CannotConnect, match=r"127\.0\.0\.1:1"):
        await open_queue("amqp://guest:secret-word@127.0.0.1:1/").look()
