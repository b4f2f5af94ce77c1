"""Work for the background."""

from __future__ import annotations

import weakref
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Deferred(Generic[T]):
    """A coroutine that may come to nothing.

    Work that is replaced before its first step is never awaited, which Python reports as a defect; here it is meant.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        # Not __del__: of a cycle that is collected as a whole, Python may look at the coroutine first.
        weakref.finalize(self, work.close)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._work.__await__()
