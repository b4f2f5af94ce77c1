"""Every interleaving of a few coroutines on one SQLite file, where a step is one transaction as it really runs.

The code under test is the real one: only the file's threads are replaced, by a place at which each coroutine waits for
its turn. Nothing else in them may wait, so that they can be driven by hand, and every order of turns be tried.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui_app.database.sqlite import transaction


class _Turn:
    def __await__(self) -> Generator[None, None, None]:
        yield


class SteppedFile:
    """What :class:`tui_app.database.sqlite.SqliteFile` does, in memory, a turn for each transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        await _Turn()
        self.connection.execute("BEGIN")
        try:
            return work(self.connection)
        finally:
            self.connection.execute("ROLLBACK")

    async def write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        await _Turn()
        with transaction(self.connection):
            return work(self.connection)


def memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive one coroutine to its end, alone."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value


@dataclass
class Actor:
    """One of those that run at once. One that ``dies`` takes so many steps, and no more."""

    name: str
    coroutine: Coroutine[Any, Any, Any]
    dies: int | None = None
    steps: int = 0
    result: Any = None
    over: bool = False

    def begin(self) -> None:
        """Go to the first transaction, which is not entered yet."""
        self._send()

    def step(self) -> None:
        """One transaction, and on to the next."""
        self.steps += 1
        self._send()
        if self.dies == self.steps and not self.over:
            self.over = True
            # Closing it is what the death of a process looks like from the file: nothing more comes.
            self.coroutine.close()

    def _send(self) -> None:
        try:
            self.coroutine.send(None)
        except StopIteration as end:
            self.result, self.over = end.value, True


@dataclass
class Interleavings:
    """All orders in which the actors of a scene can take their turns, each in a world of its own.

    ``scene`` makes a world and its actors anew; ``tried`` counts the orders that were driven to the end.
    """

    scene: Callable[[], tuple[Any, Sequence[Actor]]]
    tried: int = 0
    longest: int = field(default=0)

    def __iter__(self) -> Iterator[tuple[list[str], Any, dict[str, Actor]]]:
        choices: list[int] = []
        while True:
            world, actors, taken, widths = *self._begin(), [], []
            while ready := [actor for actor in actors if not actor.over]:
                place = len(taken)
                if place == len(choices):
                    choices.append(0)
                widths.append(len(ready))
                actor = ready[choices[place]]
                taken.append(actor.name)
                actor.step()
            self.tried += 1
            self.longest = max(self.longest, len(taken))
            yield taken, world, {actor.name: actor for actor in actors}
            del choices[len(widths) :]
            while choices and choices[-1] + 1 == widths[len(choices) - 1]:
                choices.pop()
            if not choices:
                return
            choices[-1] += 1

    def _begin(self) -> tuple[Any, Sequence[Actor]]:
        world, actors = self.scene()
        for actor in actors:
            actor.begin()
        return world, actors
