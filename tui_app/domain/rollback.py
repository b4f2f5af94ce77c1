"""How an adapter tells that an error changed nothing: the one case in which an order may be sent again at once."""

from __future__ import annotations

from types import TracebackType

from tui_app.domain.errors import Fault, NotAllowed, NotSignedIn, OutcomeUnknown, QuashError, Unavailable


class RolledBack(Exception):
    """An error ended a call, and it is certain that no order of it had an effect: nothing was sent, or all was undone.

    Attributes:
        said: the words of the system that raised the error; none where our own code or a driver did, and then
            ``__cause__`` is the error.
        code: the code under which an item is refused for these words.
    """

    def __init__(self, said: str | None = None, *, code: str = "SYSTEM_ERROR") -> None:
        super().__init__(said or "nothing was sent, or all was rolled back")
        self.said = said
        self.code = code


class RollingBack:
    """A block of which nothing is left when it raises: a transaction before its commit, or what precedes all sending.

    Its errors leave it as ``RolledBack``. Those that already say that nothing was done, or that nobody knows, stay.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, _TOLD):
            return
        if isinstance(error, QuashError) and not isinstance(error, Fault):
            raise RolledBack(error.message, code=error.code) from error
        raise RolledBack from error


_TOLD = (RolledBack, Unavailable, OutcomeUnknown, NotSignedIn, NotAllowed)
