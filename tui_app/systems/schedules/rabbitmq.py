"""The queue of due posts in RabbitMQ: durable, with persistent messages, confirmed when sent, acknowledged when done.

A connection is used until it fails, and then is made anew with the next thing that is asked of it. What was delivered
on the old one and not acknowledged comes again from the broker, so nothing of it is kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed, InvalidFrameError
from pamqp.common import FieldTable

from tui_app.config.values import Address
from tui_app.domain.errors import CannotConnect
from tui_app.outbound.transport import trust
from tui_app.systems.schedules.plug import QUEUE
from tui_app.systems.schedules.rules import schedule_id_in
from tui_app.systems.schedules.runners import REJECTED, Delivery

log = logging.getLogger("quash.runner")
# It tells of each lost connection with a traceback; with no handler installed that would land on the terminal.
logging.getLogger("aiormq").addHandler(logging.NullHandler())
logging.getLogger("aio_pika").addHandler(logging.NullHandler())

LATER = ".later"
"""The ending of the queue in which what is put off waits, until it comes back."""

PREFETCH = 16
"""Messages that the broker hands to one consumer ahead: enough not to wait for it, few enough to share."""

HEARTBEAT = 10
"""Seconds between signs of life; a connection without any for about three of them is dead."""

PATIENCE = 10.0
"""Seconds for one exchange with the broker."""

PUT_OFF = 30.0
"""Seconds until a message comes again whose schedule is in somebody else's hands."""


class RabbitQueue:
    """One queue of one broker, for one scanner or one publisher, which works on one message at a time."""

    def __init__(
        self,
        url: Address,
        *,
        queue: str = QUEUE,
        ca_file: str | None = None,
        prefetch: int = PREFETCH,
        patience: float = PATIENCE,
        put_off: float = PUT_OFF,
    ) -> None:
        self._url, self._ca_file = url, ca_file
        self._queue, self._prefetch = queue, prefetch
        self._patience, self._put_off = patience, put_off
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._consuming = False
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._held: dict[int, AbstractIncomingMessage] = {}
        self._tokens = 0

    async def waiting(self) -> int:
        """Messages that wait in the queue, and are in nobody's hands.

        Raises:
            CannotConnect: the broker is away.
        """
        async with self._speaking() as channel:
            declared = await channel.declare_queue(self._queue, passive=True, timeout=self._patience)
            return declared.declaration_result.message_count or 0

    async def look(self) -> str:
        """Say what is in the queue; nothing is made or changed.

        Raises:
            CannotConnect: the broker is away, or does not let us see it.
        """
        try:
            async with await self._connected() as connection:
                queue = await self._declared(connection, self._queue)
        except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
            raise CannotConnect(f"{self._url}: {str(error) or type(error).__name__}") from error
        if queue is None:
            return "there is no such queue yet; the scanner or the publisher makes it"
        told = queue.declaration_result
        return f"messages that wait: {told.message_count or 0:,}; consumers: {told.consumer_count or 0:,}"

    async def send(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Put messages into the queue; returns when the broker has confirmed that it keeps every one.

        Raises:
            CannotConnect: the broker is away; it may keep some of them.
        """
        async with self._speaking() as channel:
            bodies = (json.dumps(message, separators=(",", ":")).encode() for message in messages)
            await asyncio.gather(*(self._keep(channel, body, self._queue) for body in bodies))

    async def receive(self) -> Delivery | None:
        """The next message; none where nothing waits. One that was neither acknowledged nor put off is given again.

        Raises:
            CannotConnect: the broker is away.
        """
        while (message := await self._next()) is not None:
            try:
                schedule_id = schedule_id_in(message.body)
            except ValueError as error:
                await self._set_aside(message, str(error))
                continue
            self._tokens += 1
            self._held = {self._tokens: message}
            return Delivery(schedule_id, self._tokens, 2 if message.redelivered else 1)
        return None

    async def acknowledge(self, delivery: Delivery) -> None:
        """It is dealt with. Where the connection was lost meanwhile it comes again, and is passed over."""
        message = self._held.pop(delivery.token, None)
        if message is not None:
            async with self._speaking():
                await message.ack()

    async def put_off(self, delivery: Delivery) -> None:
        """Let it come again after a while; the broker waits, so that this consumer can go on with others."""
        message = self._held.pop(delivery.token, None)
        if message is not None:
            async with self._speaking() as channel:
                await self._keep(channel, message.body, self._queue + LATER, expiration=self._put_off)
                await message.ack()

    async def close(self) -> None:
        """Give the connection back; what is not acknowledged comes again to whoever consumes."""
        connection, self._connection, self._channel = self._connection, None, None
        self._consuming, self._held, self._arrived = False, {}, asyncio.Queue()
        if connection is not None:
            # Whatever it says: a connection that cannot be closed is closed.
            with suppress(AMQPError, OSError, TimeoutError, RuntimeError):
                await asyncio.wait_for(connection.close(), self._patience)

    async def _next(self) -> AbstractIncomingMessage | None:
        async with self._speaking() as channel:
            if self._held:
                return self._held.popitem()[1]
            await self._consume(channel)
            with suppress(asyncio.QueueEmpty):
                return self._arrived.get_nowait()
            # Asking also tells whether the queue is there still: one that is deleted takes its consumers along.
            declared = await channel.declare_queue(self._queue, passive=True, timeout=self._patience)
            if not declared.declaration_result.message_count and self._arrived.empty():
                return None
            return await asyncio.wait_for(self._arrived.get(), self._patience)

    async def _consume(self, channel: AbstractChannel) -> None:
        if not self._consuming:
            queue = await channel.get_queue(self._queue)
            await queue.consume(self._arrived.put, timeout=self._patience)
            self._consuming = True

    async def _set_aside(self, message: AbstractIncomingMessage, why: str) -> None:
        """What is no message of ours would come again for ever; it is kept for whoever wants to know who sent it."""
        log.warning("a message in %s is set aside in %s: %s", self._queue, self._queue + REJECTED, why)
        async with self._speaking() as channel:
            await self._keep(channel, message.body, self._queue + REJECTED, headers={"x-quash-why": why})
            await message.ack()

    async def _keep(self, channel: AbstractChannel, body: bytes, queue: str, **more: Any) -> None:
        persistent = aio_pika.DeliveryMode.PERSISTENT
        message = aio_pika.Message(body, content_type="application/json", delivery_mode=persistent, **more)
        await channel.default_exchange.publish(message, queue, mandatory=True, timeout=self._patience)

    @asynccontextmanager
    async def _speaking(self) -> AsyncIterator[AbstractChannel]:
        """An open channel; whatever goes wrong on it ends the connection, and is said in our words."""
        try:
            yield await self._opened()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            await self.close()
            if task is None or task.cancelling():
                raise
            # Whoever waits on a channel that is being closed is told so by a cancellation.
            raise CannotConnect(f"the connection to {self._url} was closed") from None
        except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
            await self.close()
            raise CannotConnect(f"{self._url}: {str(error) or type(error).__name__}") from error

    async def _opened(self) -> AbstractChannel:
        connection, channel = self._connection, self._channel
        if connection is not None and channel is not None and not connection.is_closed and not channel.is_closed:
            return channel
        await self.close()
        return await self._open()

    async def _connected(self) -> AbstractConnection:
        tls = trust(self._ca_file) if self._url.scheme == "amqps" else None
        try:
            return await aio_pika.connect(
                self._url.reveal(), timeout=self._patience, ssl_context=tls, heartbeat=HEARTBEAT
            )
        except InvalidFrameError as error:
            # The broker said why, and the library keeps it to itself; whoever is let in can be refused for this alone.
            raise CannotConnect(
                f"{self._url}: the broker does not open this virtual host to us",
                hint="The path of `amqp` names it: ask whoever runs the broker whether it is there, and for whom.",
            ) from error

    async def _open(self) -> AbstractChannel:
        self._connection = await self._connected()
        for name in (self._queue, self._queue + REJECTED):
            await self._make_sure_of(self._connection, name)
        await self._make_later(self._connection)
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.set_qos(prefetch_count=self._prefetch, timeout=self._patience)
        self._channel = channel
        return channel

    async def _make_sure_of(self, connection: AbstractConnection, name: str) -> None:
        """Use a queue as whoever made it has made it, and make it where there is none."""
        if await self._declared(connection, name) is not None:
            return
        try:
            async with connection.channel() as channel:
                await channel.declare_queue(name, durable=True, timeout=self._patience)
        except ChannelPreconditionFailed:
            # Somebody made it in this moment, with arguments of their own.
            if await self._declared(connection, name) is None:
                raise

    async def _make_later(self, connection: AbstractConnection) -> None:
        """The queue of what is put off has to give it back: it is used only where it does."""
        back: FieldTable = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self._queue}
        name = self._queue + LATER
        try:
            async with connection.channel() as channel:
                await channel.declare_queue(name, durable=True, arguments=back, timeout=self._patience)
        except ChannelPreconditionFailed as error:
            raise CannotConnect(
                f"{self._url}: the queue {name} is there with other arguments, and would not give back what is put off",
                hint=f"Delete it when it is empty; it is made anew, with {self._queue} as its dead letter routing key.",
            ) from error

    async def _declared(self, connection: AbstractConnection, name: str) -> AbstractQueue | None:
        """A queue that is there, whatever its arguments are; none where there is none."""
        try:
            # The broker closes a channel on which a queue is asked for that is not there.
            async with connection.channel() as channel:
                return await channel.declare_queue(name, passive=True, timeout=self._patience)
        except ChannelNotFoundEntity:
            return None
