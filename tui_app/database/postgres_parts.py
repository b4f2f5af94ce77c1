"""Doing by sets what the database may refuse for one of many: what is refused is halved until the one stands alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import psycopg

from tui_app.database.postgres import is_of_the_statement
from tui_app.database.postgres_rows import Connection

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Parts(Generic[T, R]):
    """What came of each part that was done, and the items that the database refused, each with its error."""

    done: list[R] = field(default_factory=list)
    refused: list[tuple[T, psycopg.Error]] = field(default_factory=list)


async def in_parts(
    connection: Connection,
    items: Sequence[T],
    work: Callable[[Sequence[T]], Awaitable[R]],
    hold: Callable[[], Awaitable[object]],
    *,
    immediate: bool = False,
) -> Parts[T, R]:
    """Do the work on all items at once; where the database refuses that, on each half, down to single items.

    Each part has a savepoint, so that a part that is refused leaves nothing. What is not about a statement, such as a
    lost lock or a lost connection, is raised and ends the transaction.

    Args:
        connection: in a transaction.
        items: in an order in which those that may be refused together stand together.
        work: does one part.
        hold: locks all items in their one order, before the first half is done.
        immediate: whether constraints that wait for the commit are checked at the end of each part.
    """
    parts: Parts[T, R] = Parts()
    todo = [items] if items else []
    halved = False
    while todo:
        part = todo.pop()
        try:
            async with connection.transaction():
                result = await work(part)
                if immediate:
                    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            parts.done.append(result)
        except psycopg.Error as error:
            if not is_of_the_statement(error):
                raise
            if len(part) == 1:
                parts.refused.append((part[0], error))
                continue
            if not halved:
                await hold()
                halved = True
            middle = len(part) // 2
            todo += [part[middle:], part[:middle]]
    return parts
