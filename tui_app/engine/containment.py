"""Containment: an error stays with the item, the chunk, the run or the plan that it was raised for.

``contained`` is the only place of the engine that catches every ``Exception``. Whoever calls it decides what its error
means: for one item (``tui_app.engine.calls``), for a run (``tui_app.engine.worker``), for a plan
(``tui_app.engine.planning``), for the runner (``tui_app.engine.local``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tui_app.domain.errors import Fault

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Caught:
    """An error in the place of what was asked for."""

    error: Exception


async def contained(work: Awaitable[T]) -> T | Caught:
    """What ``work`` returns, or the error that it raised."""
    try:
        return await work
    except Exception as error:
        return Caught(error)


async def halved(
    items: Sequence[I],
    call: Callable[[Sequence[I]], Awaitable[Sequence[R]]],
    *,
    ends: tuple[type[Exception], ...] = (),
) -> list[R | Caught]:
    """What ``call`` returns for each item; where it raises it is called for either half, until the one item is found.

    ``call`` may be repeated without a second effect. It is called fewer than twice as often as there are items. An
    error of the kinds in ``ends`` concerns them all: it stands in the place of each that has no answer by then.
    """
    found: dict[int, R | Caught] = {}
    left = [range(len(items))] if items else []
    while left:
        part = left.pop()
        told = await contained(complete(items[part.start : part.stop], call))
        if not isinstance(told, Caught):
            found.update(zip(part, told, strict=True))
        elif isinstance(told.error, ends):
            found.update((place, told) for rest in (part, *left) for place in rest)
            break
        elif len(part) == 1:
            found[part.start] = told
        else:
            middle = len(part) // 2
            left += [part[middle:], part[:middle]]
    return [found[place] for place in range(len(items))]


async def complete(items: Sequence[I], call: Callable[[Sequence[I]], Awaitable[Sequence[R]]]) -> Sequence[R]:
    """What ``call`` returns, one for each item.

    Raises:
        Fault: it returned more or fewer.
    """
    told = await call(items)
    if len(told) != len(items):
        raise Fault(f"{len(told)} answers came for {len(items)} items")
    return told
