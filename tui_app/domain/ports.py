"""What the rules need of the world: the Protocols that adapters, stores and clocks fulfil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import Fault, NotSignedIn, OutcomeUnknown, Unavailable
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort
from tui_app.domain.run import Answer, Errand, Made, Order, Verification
from tui_app.domain.verdict import Effect, Verdict


class Clock(Protocol):
    """Where time comes from, so that tests can move it."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""

    def steady(self) -> float:
        """Seconds since some beginning, by a clock that nobody sets and that does not stop while the host sleeps."""

    def boot(self) -> str:
        """The name of that beginning: seconds of the same one can be compared."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a preview that is shown as it is: a title, and lines of text from the system.

    ``detail``: nobody decides by it, so that it is shown only where everything of the item is.
    """

    title: str
    lines: tuple[str, ...]
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """The verdict and impact of one item; read-only.

    ``warnings`` are sentences; ``sections`` hold what only this system has, such as the reply its sender will read.
    """

    verdict: Verdict
    effects: tuple[Effect, ...] = ()
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One of the system's own audit entries of an item."""

    at: str
    event: str
    actor: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


Held = Unavailable | NotSignedIn
"""Why an order did not reach the system: not now, or not with this token."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """That an order's turn did not come: nothing is wrong, and it can be handed over again at once."""


DEFERRED = Deferred()

Reply = Answer | Held | Deferred | OutcomeUnknown | Fault
"""What comes back for one order: the system's answer, why the order did not reach it, or that its turn did not come.

Without an answer nothing was done for this order by ``execute``; after ``reconcile`` it was not looked at, and stays as
it is. With ``OutcomeUnknown`` it may have been done, and what became of it could not be found out yet: it is to be
settled later. With ``Fault`` an error of ours or of a driver ended this order alone (``__cause__``), and it may have
been done.
"""


class System(Protocol):
    """One system: commands, cases or schedules, wherever it runs.

    Every method may raise ``Unavailable`` (nothing happened). Ids are those that ``check_id`` returned.
    Sequences that are returned have the length and the order of those that were given.

    Any other error stays with the items of the call that raised it: the call is repeated for fewer of them until the
    one item is found. ``execute`` is repeated only where that has no second effect: where it raised
    ``tui_app.domain.rollback.RolledBack``, with which an adapter says that nothing was sent or that its transaction was
    rolled back, or where ``reconcile`` says so of an order.
    """

    @property
    def description(self) -> Description:
        """Words, columns and verbs; fixed for the life of the adapter."""

    @property
    def chunk_size(self) -> int:
        """Items that are claimed together: at most about two seconds of work, as far as can be said beforehand."""

    def check_id(self, text: str) -> str:
        """The id in its one spelling, without looking it up.

        Raises:
            MalformedId: it cannot be an id of this system.
        """

    async def identity(self) -> str:
        """Which system this is (origin or database identity), the same after a restart and a change of address."""

    async def page(self, query: PageQuery) -> Page:
        """Rows by keyset, never by offset.

        Raises:
            MalformedFilter: a field or a value that this system cannot filter or sort by.
        """

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        """How many rows match; with ``before``, how many of them stand before that place in that order."""

    async def item(self, item_id: str) -> Item:
        """One item with its fields.

        Raises:
            NotFound: there is none.
        """

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        """What is to be seen of each id now, set-based; the verdict says whether the verb may be done to it.

        A missing one has the verdict ``NOT_FOUND``.
        """

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        """The same ids in the order in which they should be sent, the most urgent first.

        Asked before a plan is made, so it has to be quick: where it would cost a read for each id, they stay as given.
        """

    async def preview(self, item_id: str) -> Preview:
        """What cancelling this item would do.

        Raises:
            NotFound: there is none.
        """

    async def trail(self, item_id: str) -> list[TrailEntry]:
        """The system's audit entries of this item, oldest first.

        Raises:
            NotFound: the system shows none of it, which is another thing than that there are none.
        """

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Send the orders, guarded; one reply each.

        What is sent one by one is deferred from when about two seconds have passed, or the errand is ``halted``. Each
        of its answers is handed to ``errand.arrived`` when it comes, and an error ends no order but its own.

        Raises:
            RolledBack: an error ended the call, and it is certain that no order had an effect.
            OutcomeUnknown: sent, and no answer came; every order is then unknown.
            NotSignedIn, NotAllowed: the system does not let us in, for whichever order; some may have been sent.
        """

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Settle orders that may have been sent before, or that the system accepted; never has an effect twice.

        With an errand to ``only_look`` it never has one at all. What is as it was is then skipped as ``STOPPED`` where
        it is certain that nothing of ours can come any more, else it is unknown.
        """

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        """Hold what was recorded against the system's own status and trail."""

    async def close(self) -> None:
        """Give back connections and files."""


@runtime_checkable
class SignedIn(Protocol):
    """A system that is reached with a token, beside what it is otherwise."""

    @property
    def credentials_expire(self) -> datetime | None:
        """When the token at hand ends; none where it does not say, or none was needed yet."""

    @property
    def signed_in_as(self) -> str | None:
        """Whom the token at hand is for, as it names somebody or as its server tells; none where neither does."""

    async def sign_in(self) -> None:
        """Have a token at hand before it is needed, and know whom it is for, where that can be known.

        Raises:
            NotSignedIn: nobody gives one.
            Unavailable: the server that would tell whose it is cannot be asked.
        """


@dataclass(frozen=True, slots=True)
class Probed:
    """One question to a system: what was asked, what came, and whether that was recognisably the system's own."""

    asked: str
    came: str
    recognised: bool


@runtime_checkable
class Probes(Protocol):
    """A system behind an address at which another service, or somebody in between, may answer."""

    async def probe(self) -> list[Probed]:
        """Ask what tells the system from others; nothing is changed.

        Raises:
            Unavailable: nobody answers.
            NotSignedIn: the token is not accepted.
        """


@runtime_checkable
class NamesUser(Protocol):
    """A system to which every request names its user, beside the token."""

    def act_for(self, operator: str) -> None:
        """Name this operator where the token does not say whose it is."""


@runtime_checkable
class RecallsMade(Protocol):
    """A system that may tell only once, in its answer, until when a cancellation can be undone."""

    async def survey_undo(self, ids: Sequence[str], made: Mapping[str, Made]) -> list[Seen]:
        """As ``survey`` for reinstating; where the item itself tells no deadline, that of its record counts, by id."""


@runtime_checkable
class KeepsWords(Protocol):
    """A system that may not be able to keep every character that an operator writes."""

    async def check_words(self, operator: str, reason: str) -> None:
        """Refuse a name or a reason that this system cannot keep, before anything is sent.

        Raises:
            InvalidReason: the reason holds characters that it cannot keep, which are named.
            UsageProblem: the name of the operator does.
        """


@runtime_checkable
class TellsSilence(Protocol):
    """A system that is asked over a network, and knows since when it has not answered."""

    @property
    def silent_since(self) -> datetime | None:
        """Since when requests have had no answer; none where the last one was answered."""


@runtime_checkable
class ReadsMany(Protocol):
    """A system that reads many items with few requests, beside what it is otherwise."""

    @property
    def survey_size(self) -> int:
        """Items that a plan reads together."""


@runtime_checkable
class MakesTables(Protocol):
    """A system that makes what it needs with the first thing that is asked of it."""

    def make_nothing(self) -> None:
        """Leave that to others: whoever may only look changes nothing, not even where there is nothing yet."""
