"""The schedule flow over its native routes, in process and over TCP: every answer of it, provoked."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from support.backend import KEY, WAYS, listening, make_backend, token
from support.schedules_bench import OWNER, ScheduleFile
from support.world import MovableClock, make_world
from tui_app.client.transport import BASE_URL, EmbeddedTransport
from tui_app.contract.principal import Principal
from tui_app.domain.rates import Rate
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native.assembly import assemble
from tui_app.service.openapi import document
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.plug import SchedulesSettings

ALL = "/api/v1/schedules"
NOBODY = "0b54c1de-6a0c-4b52-9d2e-5f1a7c3e8b90"
STRANGER = "ops2@example.com"
REASON = "Changed marketing strategy"


@dataclass
class Served:
    url: str
    transport: httpx.AsyncBaseTransport | None
    file: ScheduleFile
    clock: MovableClock

    def http(self, user: str = OWNER, *permissions: str, bearer: str | None = None) -> httpx.AsyncClient:
        sent = token(user, permissions) if bearer is None else bearer
        headers = {"Authorization": f"Bearer {sent}"} if sent else {}
        return httpx.AsyncClient(base_url=self.url, transport=self.transport, headers=headers, trust_env=False)


class Open(EmbeddedTransport):
    """Outlives the clients that use it."""

    async def aclose(self) -> None:
        pass

    async def shut(self) -> None:
        await super().aclose()


async def serve(stack: AsyncExitStack, way: str, folder: Path, settings: SchedulesSettings) -> Served:
    file, world = ScheduleFile(folder / "schedules.db"), make_world(folder)
    system = EmbeddedSchedules(file.path, world.clock)
    stack.push_async_callback(system.close)
    native = assemble(
        {"schedules": system}, {"schedules": settings}, folder / "native.db", world.clock, read_only=False
    )
    backend = replace(make_backend(world, Authenticator({"": KEY})), native=native)
    if way == "tcp":
        return Served(await stack.enter_async_context(listening(create_app(backend))), None, file, world.clock)
    transport = Open(create_app(backend), principal=Principal("nobody"))
    stack.push_async_callback(transport.shut)
    return Served(BASE_URL, transport, file, world.clock)


@pytest.fixture(params=WAYS)
async def served(request, tmp_path):
    async with AsyncExitStack() as stack:
        yield await serve(stack, request.param, tmp_path, SchedulesSettings())


def told(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and sentence of a refusal, in the one envelope."""
    assert response.headers["content-type"] == "application/json"
    [error] = response.json()["errors"]
    assert list(response.json()) == ["errors"]
    assert set(error) == {"error_code", "error_description", "error_severity"}
    assert error["error_severity"] == "error"
    return response.status_code, error["error_code"], error["error_description"]


async def cancel(http: httpx.AsyncClient, item_id: str, **body: Any) -> httpx.Response:
    return await http.post(f"{ALL}/{item_id}/cancel", json=body)


async def test_a_pending_schedule_is_cancelled(served):
    row = served.file.add(run_at="2025-11-26T19:00:00.000000Z", run_at_local="2025-11-26T14:00:00")
    async with served.http() as http:
        response = await cancel(http, row["id"], reason=REASON, other="ignored")
        shown = await http.get(f"{ALL}/{row['id']}")
    assert response.status_code == 200
    body = response.json()
    now = body["cancelled_at"]
    assert datetime.fromisoformat(now).date() == served.clock.moment.date()
    assert body == {
        "id": row["id"],
        "post_variant_id": row["post_variant_id"],
        "channel_connection_id": row["channel_connection_id"],
        "run_at": "2025-11-26T19:00:00Z",
        "timezone": "America/New_York",
        "run_at_local": "2025-11-26T14:00:00",
        "status": "cancelled",
        "attempt_count": 0,
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": now,
        "cancelled_at": now,
        "cancellation_reason": REASON,
        "post_variant": {"id": row["post_variant_id"], "content": row["content"], "channel_id": row["channel_id"]},
        "channel_connection": {"id": row["channel_connection_id"], "display_name": "@example"},
    }
    assert shown.json() == body
    assert served.file.post_status(row["post_id"]) == "ready"
    [event] = served.file.events(row["id"])
    assert (event["event"], event["principal"], event["at"][:19]) == ("SCHEDULE_CANCELLED", OWNER, now[:19])
    assert event["details"]["reason"] == REASON
    assert event["details"]["previous_status"] == event["details"]["schedule"]["status"] == "pending"
    assert event["details"]["schedule"]["run_at"] == "2025-11-26T19:00:00Z"


@pytest.mark.parametrize("sent", [{}, {"json": {}}, {"json": {"reason": None}}, {"json": {"reason": "  "}}])
async def test_the_reason_may_be_left_out(served, sent):
    row = served.file.add(status="queued")
    async with served.http() as http:
        response = await http.post(f"{ALL}/{row['id'].upper()}/cancel", **sent)
    assert (response.status_code, response.json()["cancellation_reason"]) == (200, None)
    assert served.file.events(row["id"])[0]["details"]["previous_status"] == "queued"


async def test_what_does_not_exist_is_not_found(served):
    async with served.http() as http:
        for response in (
            await cancel(http, NOBODY),
            await http.get(f"{ALL}/{NOBODY}"),
            await http.get(f"{ALL}/{NOBODY}/audit-log"),
        ):
            assert told(response) == (404, "SCHEDULE_NOT_FOUND", "Schedule not found")


@pytest.mark.parametrize("status", ["publishing", "success", "failed"])
async def test_what_cannot_be_cancelled_says_its_status(served, status):
    row = served.file.add(status=status)
    async with served.http() as http:
        response = await cancel(http, row["id"], reason=REASON)
    sentence = f"Cannot cancel schedule with status '{status}'. Only 'pending' or 'queued' schedules can be cancelled."
    assert told(response) == (400, "SCHEDULE_CANNOT_BE_CANCELLED", sentence)
    assert served.file.status(row["id"]) == status
    [refused] = served.file.events(row["id"])
    assert (refused["event"], refused["principal"]) == ("SCHEDULE_CANCEL_REFUSED", OWNER)
    assert refused["details"] == {"reason": REASON, "code": "SCHEDULE_CANNOT_BE_CANCELLED"}


async def test_what_is_cancelled_is_not_cancelled_again(served):
    row = served.file.add()
    async with served.http() as http:
        assert (await cancel(http, row["id"])).status_code == 200
        again = await cancel(http, row["id"])
    assert told(again) == (400, "SCHEDULE_ALREADY_CANCELLED", "Schedule is already cancelled")
    assert len(served.file.events(row["id"], "SCHEDULE_CANCELLED")) == 1


async def test_an_id_that_is_no_uuid_is_refused(served):
    before = served.file.dump()
    async with served.http() as http:
        for item_id in ("1", "x" * 200, NOBODY.replace("-", ""), f"{NOBODY}0", "..%2f..", "%00", "\u0663" * 8):
            for response in (await cancel(http, item_id), await http.get(f"{ALL}/{item_id}")):
                assert told(response)[:2] == (400, "VALIDATION_ERROR")
    assert served.file.dump() == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"reason": 7}',
        b'{"reason": ["a"]}',
        b'{"reason": "a\\u0000b"}',
        b'{"reason": "two\\nlines"}',
        b'{"reason": "\\u001b[2J"}',
        json.dumps({"reason": "x" * 501}).encode(),
        b"[]",
        b"{",
        b"\xff",
    ],
)
async def test_a_body_that_does_not_fit_is_refused(served, body):
    row = served.file.add()
    async with served.http() as http:
        response = await http.post(
            f"{ALL}/{row['id']}/cancel", content=body, headers={"Content-Type": "application/json"}
        )
    assert told(response)[:2] == (400, "VALIDATION_ERROR")
    assert served.file.status(row["id"]) == "pending"


# Who may


async def test_a_foreign_schedule_is_refused_and_recorded(served):
    row = served.file.add()
    for permissions in ((), ("operate",), ("cancel_case",), (f"cancel_schedule:{NOBODY}",), ("cancel_schedule:",)):
        async with served.http(STRANGER, *permissions) as http:
            response = await cancel(http, row["id"], reason=REASON)
        assert told(response)[:2] == (403, "SCHEDULE_ACCESS_DENIED")
    assert served.file.status(row["id"]) == "pending"
    events = served.file.events(row["id"])
    assert {(one["event"], one["principal"]) for one in events} == {("SCHEDULE_CANCEL_REFUSED", STRANGER)}
    assert len(events) == 5


async def test_a_foreign_schedule_can_be_read(served):
    row = served.file.add()
    async with served.http(STRANGER) as http:
        assert (await http.get(f"{ALL}/{row['id']}")).status_code == 200
        assert (await http.get(ALL)).json()["pagination"]["total"] == 1


async def test_the_permission_is_for_all_posts_or_for_one(served):
    first, second = served.file.add(), served.file.add()
    async with served.http(STRANGER, f"cancel_schedule:{first['post_id']}") as http:
        assert (await cancel(http, first["id"])).status_code == 200
        assert (await cancel(http, second["id"])).status_code == 403
    async with served.http(STRANGER, "cancel_schedule") as http:
        assert (await cancel(http, second["id"])).status_code == 200
    assert served.file.events(second["id"], "SCHEDULE_CANCELLED")[0]["principal"] == STRANGER


async def test_a_service_account_needs_the_permission_too(served):
    row = served.file.add()
    claims = {"sub": "bot", "service_account": True, "exp": datetime.now(UTC) + timedelta(hours=1)}
    async with served.http(bearer=jwt.encode(claims, KEY)) as http:
        assert told(await cancel(http, row["id"]))[0] == 403
    async with served.http(bearer=jwt.encode({**claims, "permissions": ["cancel_schedule"]}, KEY)) as http:
        assert (await cancel(http, row["id"])).status_code == 200


async def test_the_owner_is_the_posts_owner(served):
    row = served.file.add()
    served.file.change("UPDATE post SET owner_id = ? WHERE id = ?", STRANGER, row["post_id"])
    async with served.http() as http:
        assert told(await cancel(http, row["id"]))[0] == 403
    async with served.http(STRANGER) as http:
        assert (await cancel(http, row["id"])).status_code == 200


def signed(key: bytes | None = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    made = {"sub": OWNER, "exp": datetime.now(UTC) + timedelta(hours=1), **claims}
    return jwt.encode({name: value for name, value in made.items() if value is not None}, key, algorithm)


async def test_a_principal_id_without_sub_is_enough(served):
    row = served.file.add()
    async with served.http(bearer=signed(sub=None, principal_id=OWNER)) as http:
        assert (await cancel(http, row["id"])).status_code == 200
    assert served.file.events(row["id"])[0]["principal"] == OWNER


async def test_the_principal_id_goes_before_sub(served):
    row = served.file.add()
    async with served.http(bearer=signed(principal_id=STRANGER)) as http:
        assert told(await cancel(http, row["id"]))[0] == 403


BAD_TOKENS = {
    "missing": lambda: "",
    "expired": lambda: signed(exp=datetime.now(UTC) - timedelta(minutes=5)),
    "unsigned": lambda: signed(None, "none"),
    "foreign": lambda: signed(b"x" * 32),
    "nobody": lambda: signed(sub=None),
    "endless": lambda: signed(exp=None),
}


@pytest.mark.parametrize("made", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_token_that_does_not_hold_changes_nothing(served, made):
    row = served.file.add()
    before = served.file.dump()
    async with served.http(bearer=made()) as http:
        for response in (
            await cancel(http, row["id"]),
            await http.post(f"{ALL}/bulk-cancel", json={"schedule_ids": [row["id"]]}),
            await http.get(ALL),
        ):
            assert told(response)[:2] == (401, "UNAUTHORIZED")
            assert response.headers["www-authenticate"].startswith("Bearer")
    assert served.file.dump() == before


# Several at once


async def bulk(http: httpx.AsyncClient, ids: Any, **more: Any) -> httpx.Response:
    return await http.post(f"{ALL}/bulk-cancel", json={"schedule_ids": ids, **more})


async def test_a_bulk_tells_each_failure_by_its_code(served):
    pending, queued, gone, done, busy, failed, foreign = (
        served.file.add(status=status)["id"]
        for status in ("pending", "queued", "cancelled", "success", "publishing", "failed", "pending")
    )
    served.file.change("UPDATE post SET owner_id = ? WHERE id IN (SELECT post_id FROM schedule WHERE id = ?)",
                       STRANGER, foreign)  # fmt: skip
    async with served.http() as http:
        ids = [pending, queued, gone, done, busy, failed, foreign, NOBODY, pending, queued.upper()]
        response = await bulk(http, ids, reason="Campaign postponed")
    assert response.status_code == 200
    body = response.json()
    assert (body["cancelled"], body["failed"]) == (2, 6)
    assert {one["schedule_id"]: one["error_code"] for one in body["errors"]} == {
        gone: "SCHEDULE_ALREADY_CANCELLED",
        done: "SCHEDULE_ALREADY_PUBLISHED",
        busy: "SCHEDULE_CANNOT_BE_CANCELLED",
        failed: "SCHEDULE_CANNOT_BE_CANCELLED",
        foreign: "SCHEDULE_ACCESS_DENIED",
        NOBODY: "SCHEDULE_NOT_FOUND",
    }
    [published] = [one for one in body["errors"] if one["schedule_id"] == done]
    assert published["error_description"] == "Cannot cancel schedule that has already been published"
    for item_id in (pending, queued):
        [event] = served.file.events(item_id)
        assert (event["event"], event["details"]["reason"]) == ("SCHEDULE_CANCELLED", "Campaign postponed")
    assert served.file.status(foreign) == "pending"


@pytest.mark.parametrize("ids", [None, [], "x", [7], [NOBODY, "not-a-uuid"], [NOBODY] * 1_001])
async def test_a_bulk_that_is_malformed_is_refused_whole(served, ids):
    row = served.file.add()
    before = served.file.dump()
    async with served.http() as http:
        response = await bulk(http, ids if not isinstance(ids, list) or not ids else [row["id"], *ids])
    assert told(response)[:2] == (400, "VALIDATION_ERROR")
    assert served.file.dump() == before


@pytest.mark.parametrize("malformed", ["not-a-uuid", "", f"{NOBODY}\n", f"{{{NOBODY}}}"])
async def test_a_malformed_id_of_a_bulk_is_told_in_words(served, malformed):
    async with served.http() as http:
        _, _, message = told(await bulk(http, [NOBODY, malformed]))
    assert message.startswith("schedule_ids.1: it has to be a UUID: ")
    assert not set("[^$\\") & set(message)


async def test_a_bulk_of_a_thousand(served):
    ids = [row["id"] for row in served.file.add_all([{} for _ in range(1_000)])]
    async with served.http() as http:
        assert (await bulk(http, ids)).json() == {"cancelled": 1_000, "failed": 0, "errors": []}


# Reading


async def test_schedules_are_listed_by_page(served):
    rows = [
        served.file.add(run_at=f"2026-01-0{day}T09:00:00.000000Z", status=status)
        for day, status in ((3, "pending"), (1, "success"), (2, "queued"), (4, "pending"), (5, "cancelled"))
    ]
    day = {row["id"]: int(row["run_at"][9]) for row in rows}

    async with served.http() as http:

        async def listed(**query: Any) -> tuple[list[int], dict[str, Any]]:
            body = (await http.get(ALL, params=query)).json()
            assert set(body) == {"data", "pagination"}
            return [day[one["id"]] for one in body["data"]], body["pagination"]

        assert (await listed())[0] == [1, 2, 3, 4, 5]
        assert await listed(limit=2, page=2) == (
            [3, 4],
            {"page": 2, "limit": 2, "total": 5, "total_pages": 3, "has_next": True, "has_prev": True},
        )
        assert (await listed(limit=2, page=3))[1]["has_next"] is False
        assert await listed(page=9) == (
            [],
            {"page": 9, "limit": 20, "total": 5, "total_pages": 1, "has_next": False, "has_prev": True},
        )
        assert (await listed(status="pending", order="desc"))[0] == [4, 3]
        assert (await listed(from_date="2026-01-02", to_date="2026-01-03T09:00:00Z"))[0] == [2, 3]
        assert (await listed(post_id=rows[0]["post_id"]))[0] == [3]
        assert (await listed(channel_connection_id=rows[2]["channel_connection_id"]))[0] == [2]
        assert (await listed(sort="status", order="asc"))[0][0] == 5
        assert (await listed(unknown="1"))[1]["total"] == 5


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=x", "limit=101", "limit=0", "status=lost", "post_id=1", "from_date=soon", "sort=colour",
     "order=up", "page=1&page=2"],
)  # fmt: skip
async def test_a_query_that_does_not_fit_is_refused(served, query):
    async with served.http() as http:
        assert told(await http.get(f"{ALL}?{query}"))[:2] == (400, "VALIDATION_ERROR")


async def test_the_audit_log_tells_who_when_and_why(served):
    row = served.file.add()
    async with served.http(STRANGER) as http:
        await cancel(http, row["id"])
    async with served.http() as http:
        await cancel(http, row["id"], reason=REASON)
        body = (await http.get(f"{ALL}/{row['id']}/audit-log")).json()
    assert body["schedule_id"] == row["id"]
    entries = [(one["event"], one["principal_id"]) for one in body["audit_entries"]]
    assert entries == [("SCHEDULE_CANCEL_REFUSED", STRANGER), ("SCHEDULE_CANCELLED", OWNER)]
    assert body["audit_entries"][1]["details"]["reason"] == REASON
    assert body["audit_entries"][1]["timestamp"].endswith("Z")


# Around the routes


async def test_paths_and_methods_that_are_not_there(served):
    async with served.http() as http:
        assert told(await http.get(f"{ALL}/{NOBODY}/nothing"))[:2] == (404, "ROUTE_NOT_FOUND")
        assert told(await http.delete(f"{ALL}/{NOBODY}"))[:2] == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("way", WAYS)
async def test_a_limit_that_is_set_is_told(way, tmp_path):
    settings = SchedulesSettings(native_rate=Rate(2, timedelta(minutes=1)))
    async with AsyncExitStack() as stack:
        served = await serve(stack, way, tmp_path, settings)
        ids = [served.file.add()["id"] for _ in range(3)]
        async with served.http() as http:
            assert [(await cancel(http, item_id)).status_code for item_id in ids[:2]] == [200, 200]
            over = await cancel(http, ids[2])
            assert told(over)[:2] == (429, "RATE_LIMIT_EXCEEDED")
            assert (await http.get(ALL)).status_code == 200
            assert served.file.status(ids[2]) == "pending"
            served.clock.forward(int(over.headers["retry-after"]))
            assert (await cancel(http, ids[2])).status_code == 200


async def test_the_document_describes_them(tmp_path):
    async with AsyncExitStack() as stack:
        system = EmbeddedSchedules(tmp_path / "schedules.db")
        stack.push_async_callback(system.close)
        native = assemble(
            {"schedules": system}, {"schedules": SchedulesSettings()}, tmp_path / "k", system.clock, read_only=False
        )
        described = document((), native.apis)
    operations = {(method, path) for path, found in described["paths"].items() for method in found}
    assert operations == {
        ("get", ALL),
        ("post", f"{ALL}/bulk-cancel"),
        ("get", f"{ALL}/{{id}}"),
        ("post", f"{ALL}/{{id}}/cancel"),
        ("get", f"{ALL}/{{id}}/audit-log"),
    }
    assert not described["paths"][f"{ALL}/{{id}}/cancel"]["post"]["requestBody"]["required"]
