"""A publisher in a process of its own: ``python -m support.publishing URL AMQP QUEUE POINT NTH``.

It publishes what is queued until it is killed. At a point it sends itself SIGKILL, when it has come there for the NTH
time: ``claim``, ``publish`` or ``succeeded``, each after that is done. With ``never`` it goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from tui_app.config.values import Address
from tui_app.database.postgres import Postgres
from tui_app.systems.schedules import runners
from tui_app.systems.schedules.postgres import MISSING
from tui_app.systems.schedules.postgres_rows import ScheduleDatabase
from tui_app.systems.schedules.postgres_runners import OutboxTable, PostgresStore
from tui_app.systems.schedules.rabbitmq import RabbitQueue

POINTS = ("claim", "publish", "succeeded")


class Dying:
    """Everything of an object, and the end of this process after one of its calls."""

    def __init__(self, inner: Any, point: str, nth: int) -> None:
        self._inner, self._point, self._left = inner, point, nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in POINTS:
            return found

        async def call(*given: Any) -> Any:
            answer = await found(*given)
            self._left -= name == self._point
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call


async def main() -> None:
    url, amqp, queue, point, nth = sys.argv[1:]
    database = ScheduleDatabase(Postgres(url, missing=MISSING, size=2))
    messages = RabbitQueue(Address(amqp), queue=queue, put_off=1)
    store: Any = Dying(PostgresStore(database, messages), point, int(nth))
    channel: Any = Dying(OutboxTable(database), point, int(nth))
    publisher = runners.Publisher(store, messages, channel)
    await runners.publish(publisher, stop=asyncio.Event(), interval=0.1)


if __name__ == "__main__":
    asyncio.run(main())
