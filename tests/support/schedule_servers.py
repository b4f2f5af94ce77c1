"""Two small schedule services, written from what is known of them, each with a log of its own effects.

The documented one pages by number, keeps reasons and an audit, and cancels in bulk. The other one pages by offset, puts
everything inside ``data``, answers 409 for every status that prevents it, knows neither bulk nor audit, and drops the
reason. ``quirks`` are what such services have been seen to do beside that.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Any
from uuid import UUID

from support.benches import BEGINNING, Given, State
from support.raw_server import Answered, Asked, RawServer, raw_server
from support.schedules_bench import OWNER, STATUSES, SchedulesBench
from support.world import MovableClock
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.schedules.bodies import error_of, parted
from tui_app.systems.schedules.http import HttpSchedules

ALL = "/api/v1/schedules"
SECRET = "a-token-of-the-posts"
OPEN = ("pending", "queued")
TOLD = "%Y-%m-%dT%H:%M:%S.%f"


def told(moment: datetime) -> str:
    """A moment as these services write it: to the millisecond."""
    return moment.strftime(TOLD)[:-3] + "Z"


def wrong(status: int, code: str, words: str = "no", **headers: str) -> Answered:
    errors = [{"error_code": code, "error_description": words, "error_severity": "error"}]
    return Answered(status, {"errors": errors}, headers)


class Posts:
    """The schedules of one service; ``effects`` tells which were cancelled, in order, and with which reason."""

    name = ""
    no_token = "no token"
    wrong_token = ("UNAUTHORIZED", "no")

    def __init__(self, clock: MovableClock | None = None, quirks: Collection[str] = ()) -> None:
        self.clock = clock or MovableClock()
        self.quirks = frozenset(quirks)
        self.rows: dict[str, dict[str, Any]] = {}
        self.effects: list[tuple[str, str | None]] = []
        self.asked: list[Asked] = []
        self.denied: set[str] = set()
        self.auth = ("authorization", f"Bearer {SECRET}")

    def id_of(self, number: int) -> str:
        # Ids that are in no order, so that an order by id differs from the order of making.
        spread = number * 2_654_435_761 % 2**32
        return str(UUID(int=spread << 96 | 4 << 76 | 2 << 62 | number))

    def add(self, **more: Any) -> str:
        item_id = self.id_of(len(self.rows) + 1)
        self.rows[item_id] = {
            "id": item_id,
            "post_variant_id": f"variant-{item_id}",
            "channel_connection_id": "connection-1",
            "run_at": told(self.clock.moment + timedelta(hours=1)),
            "timezone": "America/New_York",
            "status": "pending",
            "attempt_count": 0,
            "created_at": told(BEGINNING),
            "updated_at": told(BEGINNING),
            **more,
        }
        return item_id

    def change(self, item_id: str, **columns: Any) -> None:
        """Something happened to one behind everybody's back, a second later."""
        self.clock.forward(1)
        self.rows[item_id] |= {"updated_at": told(self.clock.now()), **columns}

    def handle(self, asked: Asked) -> Answered:
        """Answer one request, with the date by this service's own clock."""
        self.asked.append(asked)
        answer = self._handle(asked)
        date = self.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Answered(answer.status, answer.body, {"Date": date, **answer.headers})

    def _handle(self, asked: Asked) -> Answered:
        name, value = self.auth
        if name not in asked.headers:
            return wrong(401, "UNAUTHORIZED", self.no_token)
        if asked.headers.get(name) != value:
            return wrong(401, *self.wrong_token)
        if not asked.path.startswith(ALL):
            return self.beside(asked)
        parts = asked.path.removeprefix(ALL).strip("/").split("/")
        match asked.method, parts:
            case "GET", [""]:
                return self.list({name: values[0] for name, values in asked.query.items()})
            case "POST", ["bulk-cancel"]:
                return self.bulk(asked.json["schedule_ids"], asked.json.get("reason"))
            case "GET", [item_id]:
                return self.show(item_id) if item_id in self.rows else wrong(404, "SCHEDULE_NOT_FOUND")
            case "GET", [item_id, "audit-log"]:
                return self.audit(item_id)
            case "POST", [item_id, "cancel"]:
                body = json.loads(asked.body or b"{}")
                return self.cancel(item_id, body.get("reason"))
        return wrong(404, "ROUTE_NOT_FOUND")

    def beside(self, asked: Asked) -> Answered:
        """What the service answers beside its schedules."""
        return wrong(404, "ROUTE_NOT_FOUND")

    def due(self, query: Mapping[str, str], start: str, end: str) -> list[dict[str, Any]]:
        """The rows of a list, by the moment at which they go out."""
        found = [row for row in self.rows.values() if query.get("status") in (None, row["status"])]
        # Both bounds are compared as moments, whatever their precision.
        if start in query:
            found = [row for row in found if _at(row["run_at"]) >= _at(query[start])]
        if end in query:
            found = [row for row in found if _at(row["run_at"]) <= _at(query[end])]
        if "no order among equals" in self.quirks:
            # As a database breaks ties that its query leaves open: anew with each request.
            Random(len(self.asked)).shuffle(found)
        return sorted(found, key=lambda row: row["run_at"])

    def list(self, query: Mapping[str, str]) -> Answered:
        raise NotImplementedError

    def show(self, item_id: str) -> Answered:
        raise NotImplementedError

    def cancel(self, item_id: str, reason: str | None) -> Answered:
        raise NotImplementedError

    def bulk(self, ids: Sequence[str], reason: str | None) -> Answered:
        return wrong(404, "ROUTE_NOT_FOUND", "no such route")

    def audit(self, item_id: str) -> Answered:
        return wrong(404, "ROUTE_NOT_FOUND", "no such route")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


class SeedPosts(Posts):
    """The documented service."""

    name = "seed"

    def __init__(self, clock: MovableClock | None = None, quirks: Collection[str] = ()) -> None:
        super().__init__(clock, quirks)
        self.log: dict[str, list[dict[str, Any]]] = {}

    def add(self, *, channel: str = "@example", content: str = "20 % off until Sunday", **more: Any) -> str:
        item_id = super().add(run_at_local="2026-01-02T04:00:00", cancelled_at=None, cancellation_reason=None, **more)
        self.rows[item_id] |= {
            "post_variant": {"id": f"variant-{item_id}", "content": content, "channel_id": "x"},
            "channel_connection": {"id": "connection-1", "display_name": channel},
        }
        return item_id

    def list(self, query: Mapping[str, str]) -> Answered:
        page, limit = int(query.get("page", 1)), int(query.get("limit", 20))
        if limit > 100 or (query.get("status", "pending") not in STATUSES.values() and query["status"] != "queued"):
            return wrong(400, "VALIDATION_ERROR", "limit or status")
        found = self.due(query, "from_date", "to_date")
        if query.get("order") == "desc":
            found.reverse()
        pages = -(-len(found) // limit)
        numbers = {"page": page, "limit": limit, "total": len(found), "total_pages": pages}
        data = found[(page - 1) * limit : page * limit]
        return Answered(200, {"data": data, "pagination": {**numbers, "has_next": page < pages, "has_prev": page > 1}})

    def show(self, item_id: str) -> Answered:
        return Answered(200, self.rows[item_id])

    def refusal(self, item_id: str) -> tuple[int, str, str] | None:
        row = self.rows.get(item_id)
        if row is None:
            return 404, "SCHEDULE_NOT_FOUND", "Schedule not found"
        if item_id in self.denied:
            return 403, "SCHEDULE_ACCESS_DENIED", "not the owner of the post"
        if row["status"] == "cancelled":
            return 400, "SCHEDULE_ALREADY_CANCELLED", "Schedule is already cancelled"
        if row["status"] not in OPEN:
            return 400, "SCHEDULE_CANNOT_BE_CANCELLED", f"Cannot cancel schedule with status '{row['status']}'."
        return None

    def put(self, item_id: str, reason: str | None) -> None:
        now = told(self.clock.now())
        before = self.rows[item_id]["status"]
        self.rows[item_id] |= {
            "status": "cancelled",
            "cancelled_at": now,
            "updated_at": now,
            "cancellation_reason": reason,
        }
        self.record(item_id, OWNER, reason, before)
        self.effects.append((item_id, reason))

    def record(self, item_id: str, principal: str, reason: str | None, before: str) -> None:
        details = {"reason": reason, "previous_status": before}
        entry = {"event": "SCHEDULE_CANCELLED", "timestamp": told(self.clock.now()), "principal_id": principal}
        self.log.setdefault(item_id, []).append({**entry, "details": details})

    def cancel(self, item_id: str, reason: str | None) -> Answered:
        no = self.refusal(item_id)
        if no is not None:
            return wrong(*no)
        self.put(item_id, reason)
        return Answered(200, self.rows[item_id])

    def bulk(self, ids: Sequence[str], reason: str | None) -> Answered:
        if "no bulk" in self.quirks:
            return super().bulk(ids, reason)
        if "bulk is refused" in self.quirks:
            return wrong(400, "VALIDATION_ERROR", "too many at once")
        errors = []
        for item_id in ids:
            no = self.refusal(item_id)
            if no is None:
                self.put(item_id, reason)
                continue
            published = item_id in self.rows and self.rows[item_id]["status"] == "success"
            code = "SCHEDULE_ALREADY_PUBLISHED" if published else no[1]
            errors.append({"schedule_id": item_id, "error_code": code, "error_description": no[2]})
        done = len(ids) - len(errors)
        if "sums that are wrong" in self.quirks:
            done += 1
        if "failures without names" in self.quirks and errors:
            return Answered(200, {"cancelled": done, "failed": len(errors), "errors": errors[1:]})
        return Answered(200, {"cancelled": done, "failed": len(errors), "errors": errors})

    def audit(self, item_id: str) -> Answered:
        if "no audit" in self.quirks:
            return super().audit(item_id)
        if item_id not in self.rows:
            return wrong(404, "SCHEDULE_NOT_FOUND")
        if "odd audit" in self.quirks:
            return Answered(200, {"data": self.log.get(item_id, [])})
        return Answered(200, {"schedule_id": item_id, "audit_entries": self.log.get(item_id, [])})


class LuxarisPosts(Posts):
    """The other service: ids are integers, and a schedule tells neither content nor the channel's name."""

    name = "luxaris"
    no_token = "No session ID provided"
    wrong_token = ("INVALID_SESSION", "Invalid or expired session")

    def __init__(self, clock: MovableClock | None = None, quirks: Collection[str] = ()) -> None:
        super().__init__(clock, quirks)
        self.auth = ("x-session-id", SECRET)
        self.most = 1_000
        self.channels = {"12": ("X", "Acme News")}
        """The connections of whose session it is: what each channel is called, and whose account there."""
        self.contents = {"31": "20 % off until Sunday"}
        """The content of each variant whose post is that of the session."""
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.session = "bob@example.com"
        """Whose session the token is."""

    def id_of(self, number: int) -> str:
        return str(100_000 + number * 7_919 % 90_001)

    def add(self, *, channel: str = "12", content: str = "", **more: Any) -> str:
        own = {"last_attempt_at": None, "error_code": None, "error_message": None, "post_variant_id": 31}
        return super().add(channel_connection_id=channel, **{**own, **more})

    def beside(self, asked: Asked) -> Answered:
        match asked.path.removeprefix("/api/v1/").split("/"):
            case ["auth", "me"]:
                told = {"id": 7, "email": self.session, "name": "Bob", "auth_method": "local", "status": "active"}
                return Answered(200, told)
            case ["channels", "connections"]:
                return self.connections(*(int(asked.query.get(name, ["1"])[0]) for name in ("page", "limit")))
            case ["variants", variant]:
                if variant not in self.contents:
                    return wrong(403, "VARIANT_ACCESS_DENIED", "Access denied to this variant")
                told = {"id": int(variant), "post_id": 4, "content": self.contents[variant], "status": "ready"}
                return Answered(200, {"data": told})
        return super().beside(asked)

    def connections(self, page: int, limit: int) -> Answered:
        """A page of them, as it is told: the number first, and names of the channel and the account."""
        found = [
            {"id": int(number) if number.isdecimal() else number, "channel_name": channel, "account_name": account}
            for number, (channel, account) in self.channels.items()
        ]
        limit = min(limit, 100)
        pages = -(-len(found) // limit)
        numbers = {"page": page, "limit": limit, "total": len(found), "total_pages": pages, "has_next": page < pages}
        return Answered(200, {"data": found[(page - 1) * limit : page * limit], "pagination": numbers})

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "id": int(row["id"])}

    def list(self, query: Mapping[str, str]) -> Answered:
        limit, offset = min(int(query.get("limit", 50)), self.most), int(query.get("offset", 0))
        found = self.due(query, "run_at_from", "run_at_to")
        data = [self._shown(row) for row in found[offset : offset + limit]]
        return Answered(200, {"data": data, "meta": {"total": len(found), "limit": limit, "offset": offset}})

    def show(self, item_id: str) -> Answered:
        told = {"schedule": self._shown(self.rows[item_id]), "publish_events": self.events.get(item_id, [])}
        return Answered(200, {"data": told})

    def cancel(self, item_id: str, reason: str | None) -> Answered:
        row = self.rows.get(item_id)
        if row is None:
            return wrong(404, "SCHEDULE_NOT_FOUND", "Schedule not found")
        if item_id in self.denied:
            return wrong(403, "VARIANT_ACCESS_DENIED", "Access denied to this variant")
        if row["status"] not in OPEN:
            return wrong(409, "SCHEDULE_CANNOT_BE_CANCELLED", "Schedule cannot be cancelled")
        self.rows[item_id] |= {"status": "cancelled", "updated_at": told(self.clock.now())}
        self.effects.append((item_id, None))
        return Answered(200, {"data": self._shown(self.rows[item_id])})


KINDS: Mapping[str, type[SeedPosts | LuxarisPosts]] = MappingProxyType({"seed": SeedPosts, "luxaris": LuxarisPosts})

SHORT = {"patience": 0.4, "connect": 0.4}
"""Seconds that a request may take where the server is made to fail."""

LONG = {"patience": 5.0, "connect": 5.0}


def adapter(server: RawServer, posts: Posts, *, dialect: str = "auto", **options: Any) -> HttpSchedules:
    """An adapter with a token that the service takes."""
    auth: Any = "bearer" if posts.auth[0] == "authorization" else posts.auth[0]
    tokens = TokenSource.given(SECRET)
    http = HttpService(server.url, tokens=tokens, auth=auth, shape=error_of, **{**LONG, **options})
    return HttpSchedules(server.url, tokens=tokens, dialect=dialect, clock=posts.clock, http=http, contact="#posts")


class PostsBench:
    """One of the small services on the bench of the conformance suite."""

    kind_field = "channel"
    text_field = "content"
    tries_field = "attempts"
    time_field = "updated"
    malformed = SchedulesBench.malformed
    reason_field = "reason"
    searched: Sequence[str] = ("id", "channel", "content")
    shown = SchedulesBench.shown
    codes: Mapping[State, VerdictCode] = SchedulesBench.codes
    notifies = False

    def __init__(self, server: RawServer, posts: SeedPosts | LuxarisPosts) -> None:
        self._server = server
        self.posts = posts
        self.opened: list[System] = []
        self.lacks: Collection[str] = {"versions", "keys", "operators", "controls", "locks"}
        if posts.name == "luxaris":
            self.lacks = {*self.lacks, "reasons", "audits", "texts"}
            self.searched = ("id", "channel")

    def open(self, *, server_rate: Rate | None = None) -> System:
        system = adapter(self._server, self.posts)
        self.opened.append(system)
        return system

    def forward(self, seconds: float) -> None:
        self.posts.clock.forward(seconds)

    async def add(self, items: Sequence[Given]) -> list[str]:
        begin = self.posts.clock.moment
        if isinstance(self.posts, LuxarisPosts):
            # Each is called what its number is, so that it is found by the same word.
            self.posts.channels |= {item.kind: (item.kind, "") for item in items if item.kind}
        return [
            self.posts.add(
                status=STATUSES[item.state],
                channel=item.kind,
                content=item.text,
                attempt_count=item.tries,
                run_at=told(begin + timedelta(minutes=item.minute)),
                updated_at=told(BEGINNING + timedelta(minutes=item.minute)),
            )
            for item in items
        ]

    async def touch(self, item_id: str) -> None:
        self.posts.change(item_id, run_at=told(self.posts.clock.moment + timedelta(hours=1)))

    async def bring(self, item_id: str, state: State) -> None:
        self.posts.change(item_id, status=STATUSES[state])

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        if isinstance(self.posts, SeedPosts):
            self.posts.record(item_id, operator, "by hand", "pending")

    async def cancelled(self, item_id: str) -> bool:
        return bool(self.posts.rows[item_id]["status"] == "cancelled")

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        found = []
        for cancelled, reason in self.posts.effects:
            if cancelled == item_id:
                words, run, _ = parted(reason or "")
                found.append({"operator": OWNER, "reason": words, "run_id": run, "idempotency_key": None})
        return found

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        return []

    def reasons(self, notice: dict[str, Any]) -> set[str]:
        raise AssertionError("nobody is told of a cancelled schedule")


@asynccontextmanager
async def posts_bench(name: str) -> AsyncIterator[PostsBench]:
    """One of the small services on the bench."""
    posts = KINDS[name]()
    async with raw_server(posts.handle) as server:
        bench = PostsBench(server, posts)
        try:
            yield bench
        finally:
            for system in bench.opened:
                await system.close()
