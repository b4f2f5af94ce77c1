"""The requests to a schedule service, and its answers as rows, or as errors of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from tui_app.config.values import Secret
from tui_app.domain.errors import MalformedFilter, NotAllowed, OutcomeUnknown, QuashError, Unavailable
from tui_app.domain.ports import Clock, Probed
from tui_app.outbound.answers import Response
from tui_app.outbound.http import HttpService
from tui_app.outbound.recognition import Said, Unrecognised, advice, probed
from tui_app.systems.schedules import bodies, dialects
from tui_app.systems.schedules.bodies import Entry, Row
from tui_app.systems.schedules.dialects import Ask, Dialect, Listed
from tui_app.systems.schedules.http_names import Names
from tui_app.systems.schedules.words import CANCELLED

G = TypeVar("G")
T = TypeVar("T")

ALL = ("api", "v1", "schedules")
VARIANTS = ("api", "v1", "variants")
CONNECTIONS = ("api", "v1", "channels", "connections")
GONE = (404, 405)

CONNECTION_PAGES = 5
"""Requests for the names of channels at most, a hundred of them each."""


async def each(given: Sequence[G], work: Callable[[G], Awaitable[T]]) -> list[T]:
    """All at once, each to its end; then what went wrong first is raised."""
    tasks = [asyncio.ensure_future(work(one)) for one in given]
    await asyncio.gather(*tasks, return_exceptions=True)
    # What was returned may be an error as well: only a task knows which of them was raised.
    return [task.result() for task in tasks]


_NO_AUDIT = "this server has no audit endpoint"
_OTHER_DIALECT = "`dialect` of the profile says how it is to be read; without that setting it is found out."


class Denied(Exception):
    """The service does not let us see one schedule."""


class NoAudit(Exception):
    """The service shows no audit of one schedule; the words say why."""


class NotTold(Unavailable):
    """The service answers for one schedule, and does not tell of it: a matter of that id, and of no other."""


class Unreadable(NotTold):
    """The service tells of one schedule in a way that cannot be read; ``row`` is what can."""

    def __init__(self, row: Row) -> None:
        super().__init__(f"schedule {row.id} cannot be read: {row.unread}", hint="Ask whoever runs the service.")
        self.row = row


def _named(reader: Callable[[Any], Row]) -> Callable[[Any], Row]:
    """A reader of one schedule that has to have an id."""

    def read(body: Any) -> Row:
        row = reader(body)
        if row.id.startswith(bodies.UNREADABLE):
            raise ValueError(row.unread)
        return row

    return read


class Wire:
    """One service. Which dialect it speaks is found out by its first list, where it is not given, and remembered."""

    def __init__(self, http: HttpService, dialect: Dialect | None, contact: str | None, clock: Clock) -> None:
        self._http = http
        self._known = dialect
        self._settled = dialect is not None
        self._bulk = True
        self._probing = asyncio.Lock()
        self.contact = contact
        self.names = Names(self._channels, self._content, clock)
        self.date: datetime | None = None
        """The service's own clock, as its last answer told it."""

    @property
    def silent_since(self) -> datetime | None:
        """Since when requests have had no answer."""
        return self._http.silent_since

    @property
    def known(self) -> Dialect | None:
        """The dialect, where it is known already."""
        return self._known

    @property
    def bulk(self) -> bool:
        """Whether several can be cancelled at once, as far as is known."""
        return self._bulk and (self._known is None or self._known.bulk)

    def no_bulk(self) -> None:
        """The service has no such route: one by one from now on."""
        self._bulk = False

    async def dialect(self) -> Dialect:
        """The dialect of the service; asked for once, by a read.

        Raises:
            Unrecognised: it speaks neither.
        """
        async with self._probing:
            if self._known is None:
                # What both understand: a page of one.
                answer = await self._list({"limit": 1})
                self._known = dialects.recognised(answer.json)
            if self._known is None:
                raise Unrecognised(
                    f"what answers at {self._http.origin} lists schedules in no way that quash knows",
                    hint="Check the `url` of schedules in the profile; `dialect` names the two ways.",
                )
            return self._known

    async def whose(self, token: Secret) -> str | None:
        """Ask the service whose a token is; none where it does not tell.

        Raises:
            NotSignedIn: it does not accept the token.
            Unavailable: it cannot be asked.
        """
        if self._known is None or self._known.whoami is None:
            return None
        try:
            answer = await self._http.read_as(token, *self._known.whoami)
        except Unrecognised:
            return None
        body = answer.json if answer.ok and isinstance(answer.json, dict) else {}
        named = body.get("email") or body.get("id")
        return str(named) if isinstance(named, str | int) and not isinstance(named, bool) else None

    async def probe(self) -> list[Probed]:
        """Ask for the first row of the list: what stands beside it tells the service from others."""
        return [await probed(f"GET /{'/'.join(ALL)}", self._came())]

    async def _came(self) -> str:
        answer = await self._list({"limit": 1})
        found = dialects.recognised(answer.json)
        if found is None:
            told = f"{self._http.origin} answered {answer.status} with no list of schedules that quash knows"
            raise Unrecognised(told, hint=advice(answer.status))
        return f"{answer.status}, a list in the dialect {found.name}"

    async def listed(self, ask: Ask) -> Listed:
        """A part of the list.

        Raises:
            Unavailable, NotSignedIn, NotAllowed, UsageProblem, MalformedFilter: as they say.
        """
        dialect = await self.dialect()
        answer = await self._list(dialect.query(ask))
        listed = self._understood(lambda body: dialect.listed(body, ask.status), answer)
        return listed if dialect.lists_names else replace(listed, rows=await self.names.with_channels(listed.rows))

    async def _list(self, query: dict[str, Any]) -> Response:
        answer = await self._read(*ALL, query=query)
        if answer.ok:
            return answer
        told = answer.refusal
        if answer.status == 403:
            raise NotAllowed(told.message, hint=self._whom("Listing schedules needs a permission there."))
        if answer.status in GONE:
            raise Unrecognised(
                f"there is no list of schedules at {self._http.origin}: {told.message}", hint=advice(answer.status)
            )
        raise MalformedFilter(f"the service does not list this: {told.message}")

    async def row(self, item_id: str) -> Row | None:
        """One schedule; none where the service says that there is none.

        Raises:
            Denied: it is not for us to see.
            NotTold: the service does not tell of it, in its own words; or it tells of another one; as ``Unreadable``
                where it cannot be read.
            Unavailable: nothing was learned; as ``Unrecognised`` where what answered is not the service.
        """
        dialect = await self.dialect()
        answer = await self._read(*ALL, item_id)
        told = answer.refusal
        if answer.ok:
            row = self._understood(_named(dialect.row), answer)
            if row.id != item_id:
                told_of = f"asked for schedule {item_id}, {self._http.origin} told of schedule {row.id}"
                if row.unread:
                    raise Unrecognised(told_of, hint=advice(answer.status))
                raise NotTold(told_of, hint="Give the id as the service writes it.")
            if row.unread:
                raise Unreadable(row)
            return row if dialect.lists_names else (await self.names.with_channels([row]))[0]
        if answer.status == 403:
            raise Denied(told.message)
        if told.code == dialects.NOT_FOUND:
            return None
        if told.no_route:
            raise Unrecognised(f"{self._http.origin} knows no path for a schedule: {told.message}", hint=advice(404))
        raise NotTold(
            f"asked for schedule {item_id}, the service answers {told.code}: {told.message}", hint="Check the id."
        )

    async def named(self, rows: Sequence[Row], allowance: int) -> list[Row]:
        """Return the rows with the content that the service tells apart, of which so many may be read in a while."""
        dialect = await self.dialect()
        return list(rows) if dialect.lists_names else await self.names.with_contents(rows, allowance)

    async def _channels(self) -> Mapping[str, str]:
        """What each connection is called, by its id.

        Raises:
            Unavailable, NotSignedIn, NotAllowed: they cannot be read.
        """
        found: dict[str, str] = {}
        for page in range(1, CONNECTION_PAGES + 1):
            answer = await self._read(*CONNECTIONS, query={"limit": dialects.ROWS, "page": page})
            if not answer.ok:
                raise NotAllowed(f"the service does not tell its channels: {answer.refusal.message}")
            names, more = self._understood(bodies.channel_names, answer)
            found |= names
            if not more:
                break
        return found

    async def _content(self, variant: str) -> str:
        """The content of one variant; empty where the service does not tell it.

        Raises:
            Unavailable, NotSignedIn: it cannot be read.
        """
        answer = await self._read(*VARIANTS, variant)
        return self._understood(bodies.content_of, answer) if answer.ok else ""

    async def audit(self, item_id: str) -> list[Entry]:
        """The audit of one, oldest first.

        Raises:
            NoAudit: the service has none, or none for us.
            Unavailable: nothing was learned.
        """
        if not (await self.dialect()).audits:
            raise NoAudit(_NO_AUDIT)
        answer = await self._read(*ALL, item_id, "audit-log")
        if answer.ok:
            try:
                return bodies.entries(answer.json)
            except ValueError as error:
                if not bodies.may_be_entries(answer.json):
                    strange = f"{self._http.origin} answered with something else than the audit of {item_id}: {error}"
                    raise Unrecognised(strange, hint=advice(answer.status)) from error
                # Asking again changes nothing about how it is written; the status and the reason are still to be read.
                raise NoAudit(f"the server's audit is written in a form that is not known here: {error}") from error
        told = answer.refusal
        if told.code == dialects.NOT_FOUND:
            return []
        if told.code == dialects.NO_ROUTE or answer.status in GONE:
            raise NoAudit(_NO_AUDIT)
        raise NoAudit(told.message or f"the server answered {told.code} in place of its audit")

    async def evidence(self, item_id: str) -> list[Entry] | None:
        """The same, where it is only a help: none where there is no audit.

        Raises:
            Unavailable: nothing was learned.
        """
        try:
            return await self.audit(item_id)
        except NoAudit:
            return None

    async def cancel(self, item_id: str, reason: str) -> Row | Said:
        """Cancel one: the schedule as it is then, or why not.

        Raises:
            OutcomeUnknown: it may have been cancelled.
            Unavailable, NotSignedIn: it has not been.
        """
        dialect = await self.dialect()
        answer = await self._write(item_id, "cancel", body={"reason": reason})
        if not answer.ok:
            return answer.refusal
        row = self._certain(dialect.cancelled, answer)
        if row.id != item_id or row.status != CANCELLED:
            raise OutcomeUnknown(f"{self._http.origin} answered a cancellation with a schedule that is {row.status}")
        return row

    async def bulk_cancel(self, ids: Sequence[str], reason: str) -> dict[str, Said] | None:
        """Cancel several with one request: those that were not, and why; none where it was refused as a whole.

        Raises:
            OutcomeUnknown: any of them may have been cancelled.
            Unavailable, NotSignedIn: none of them has been.
        """
        answer = await self._write("bulk-cancel", body={"schedule_ids": list(ids), "reason": reason})
        if answer.ok:
            return self._certain(lambda body: bodies.bulk_failures(body, ids), answer)
        if answer.status in GONE or answer.refusal.code == dialects.NO_ROUTE:
            self.no_bulk()
        return None

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.close()

    async def _read(self, *parts: str, query: dict[str, Any] | None = None) -> Response:
        try:
            return self._noted(await self._http.read(*parts, query=query))
        except Unavailable as error:
            error.hint = self._whom(error.hint)
            raise

    async def _write(self, *parts: str, body: dict[str, Any]) -> Response:
        try:
            return self._noted(await self._http.write(*ALL, *parts, json=body))
        except Unavailable as error:
            error.hint = self._whom(error.hint)
            raise

    def _noted(self, answer: Response) -> Response:
        self.date = answer.date
        return answer

    def _whom(self, hint: str) -> str:
        return hint if self.contact is None else f"{hint} Ask {self.contact}.".lstrip()

    def _understood(self, reader: Callable[[Any], T], answer: Response) -> T:
        return self._tried(reader, answer, Unrecognised)

    def _certain(self, reader: Callable[[Any], T], answer: Response) -> T:
        """The answer to a write: what cannot be understood leaves open what was done."""
        return self._tried(reader, answer, OutcomeUnknown)

    def _tried(self, reader: Callable[[Any], T], answer: Response, otherwise: type[QuashError]) -> T:
        try:
            return reader(answer.json)
        except ValueError as error:
            told = f"what {self._http.origin} answered cannot be understood: {error}"
            raise otherwise(told, hint=self._whom(_OTHER_DIALECT) if self._settled else None) from error
