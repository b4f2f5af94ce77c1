"""Reads the first row of a stream before anything is made of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def prefetched(rows: AsyncIterable[T]) -> AsyncIterator[T]:
    """The same rows, the first of them read: where there can be none, that is raised before anything is written."""
    iterator = aiter(rows)
    first = [one async for one in _only(iterator)]

    async def chained() -> AsyncIterator[T]:
        for one in first:
            yield one
        async for one in iterator:
            yield one

    return chained()


async def _only(iterator: AsyncIterator[T]) -> AsyncIterator[T]:
    try:
        yield await anext(iterator)
    except StopAsyncIteration:
        return
