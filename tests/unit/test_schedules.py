"""What is particular to schedules: their rules, the embedded file, and the demo's rows."""

import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.orders import cancel, errand, key_of, orders
from support.schedules_bench import OWNER, ScheduleFile
from support.world import MovableClock
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Conflict, MalformedId, RateLimited
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import Count, Cursor, PageQuery, Seen, Sort
from tui_app.domain.moments import stamp
from tui_app.domain.rates import Rate
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import Answer, ItemState, Order, Verified
from tui_app.domain.verdict import YES, Effect, VerdictCode
from tui_app.systems.schedules import answers, demo, embedded_read, embedded_runners, rules, shapes
from tui_app.systems.schedules.answers import Cancel, Found
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.words import DESCRIPTION, EFFECT_WORDS, KINDS

ID = "0b54c1de-6a0c-4b52-9d2e-5f1a7c3e8b90"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


# Ids


def test_a_uuid_has_one_spelling_and_other_ids_are_opaque():
    assert rules.check_schedule_id(ID.upper()) == rules.check_uuid(ID.upper()) == ID
    for text in ("4711", "Abc_9-x", "x" * 128):
        assert rules.check_schedule_id(text) == text
        with pytest.raises(MalformedId):
            rules.check_uuid(text)


@pytest.mark.parametrize("text", ["", "..", "-x", "_x", "a/b", "a#b", "a?b", "a%20b", "a b", "é", "x" * 129, "a\n"])
def test_what_cannot_stand_in_a_path_is_refused(text):
    with pytest.raises(MalformedId) as refused:
        rules.check_schedule_id(text)
    assert refused.value.hint


@given(st.text(max_size=40))
def test_an_id_is_refused_or_comes_back(text):
    try:
        found = rules.check_schedule_id(text)
    except MalformedId:
        return
    assert found.lower() == text.lower()
    assert rules.check_schedule_id(found) == found


# Verdicts, effects, refusals


@pytest.mark.parametrize(
    ("status", "stuck", "code"),
    [
        ("pending", False, None),
        ("queued", False, None),
        ("publishing", False, VerdictCode.PUBLISHING),
        ("publishing", True, VerdictCode.PUBLISHING),
        ("success", False, VerdictCode.PUBLISHED),
        ("failed", False, VerdictCode.FAILED),
        ("cancelled", False, VerdictCode.ALREADY_CANCELLED),
        ("skipped", False, VerdictCode.NOT_KNOWN),
    ],
)
def test_verdicts(status, stuck, code):
    verdict = rules.verdict(status, stuck)
    assert (verdict.cancellable, verdict.code) == (code is None, code)
    assert (verdict.reason is None) is (code is None)
    if code is not None:
        assert status in verdict.reason
    assert ("stuck" in (verdict.reason or "")) is stuck


@pytest.mark.parametrize(
    ("status", "post", "others", "codes"),
    [
        ("pending", "scheduled", False, ["STAYS_IN", "POST_PUT_BACK", "IRREVERSIBLE"]),
        ("pending", "scheduled", True, ["STAYS_IN", "POST_KEPT", "IRREVERSIBLE"]),
        ("queued", "scheduled", False, ["STAYS_IN", "POST_PUT_BACK", "IN_QUEUE", "IRREVERSIBLE"]),
        ("pending", "published", False, ["STAYS_IN", "IRREVERSIBLE"]),
    ],
)
def test_effects(status, post, others, codes):
    found = rules.effects(status, "@example", post, others)
    assert [effect.code.removeprefix("SCHEDULE_") for effect in found] == codes
    assert found[0] == Effect("SCHEDULE_STAYS_IN", "@example")


def test_the_words_are_complete():
    for code, words in EFFECT_WORDS.items():
        assert code.startswith("SCHEDULE_")
        assert "{count}" in words.many
        assert words.one.format(count=3, target="r") != words.many.format(count=3, target="r")
        assert not words.notifies
    assert EFFECT_WORDS["SCHEDULE_IRREVERSIBLE"].irreversible
    assert EFFECT_WORDS["SCHEDULE_IN_QUEUE"].warning
    assert set(DESCRIPTION.status_tones) == set(DESCRIPTION.statuses)
    assert str(DESCRIPTION.default_filter) == "status:pending,queued"
    assert (str(DESCRIPTION.default_sort), DESCRIPTION.deadline) == ("run_at", "run_at")
    assert DESCRIPTION.filterable == frozenset(KINDS)
    assert DESCRIPTION.verbs == (Verb.CANCEL,)
    assert DESCRIPTION.notice == ""


def test_refusals_are_worded_as_the_flow_has_them():
    assert rules.refusal("success") == rules.Refusal(
        "SCHEDULE_CANNOT_BE_CANCELLED",
        "Cannot cancel schedule with status 'success'. Only 'pending' or 'queued' schedules can be cancelled.",
    )
    assert rules.refusal("cancelled").sentence == "Schedule is already cancelled"
    assert rules.bulk_refusal("success") == rules.Refusal(
        "SCHEDULE_ALREADY_PUBLISHED", "Cannot cancel schedule that has already been published"
    )
    assert rules.bulk_refusal("failed") == rules.refusal("failed")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "in 0 s"),
        (9, "in 9 s"),
        (540, "in 9 min"),
        (545, "in 9 min 5 s"),
        (3_600 + 61, "in 1 h 1 min"),
        (3 * 86_400 + 7_200, "in 3 d 2 h"),
        (-61, "1 min 1 s ago"),
    ],
)
def test_the_time_left(seconds, said):
    assert rules.left(stamp(NOW + timedelta(seconds=seconds)), NOW) == said


def test_pages_are_counted():
    assert shapes.pagination(1, 20, 0) == {
        "page": 1, "limit": 20, "total": 0, "total_pages": 0, "has_next": False, "has_prev": False}  # fmt: skip
    assert shapes.pagination(2, 20, 40)["has_next"] is False


# Recovery


def an_order(status="pending", key="our-key"):
    return Order(ID, key, Seen(ID, status, "1", YES))


@pytest.mark.parametrize(
    ("found", "state", "code", "ours"),
    [
        (None, ItemState.REFUSED, "NOT_FOUND", None),
        (Found("cancelled", cancels=(Cancel("our-key", OWNER),)), ItemState.CANCELLED, None, True),
        (Found("cancelled", cancels=(Cancel("other", OWNER),)), ItemState.ALREADY_CANCELLED, None, False),
        (Found("cancelled"), ItemState.ALREADY_CANCELLED, None, None),
        (Found("queued"), ItemState.SKIPPED, "DRIFTED", None),
        (Found("publishing"), ItemState.REFUSED, "PUBLISHING", None),
        (Found("success"), ItemState.REFUSED, "PUBLISHED", None),
        (Found("failed"), ItemState.REFUSED, "FAILED", None),
    ],
)
def test_what_the_guard_left_alone_is_explained(found, state, code, ours):
    told = answers.passed_over(an_order(), found)
    assert (told.state, told.code, told.ours) == (state, code, ours)
    assert told.message or state in (ItemState.CANCELLED, ItemState.ALREADY_CANCELLED)


def test_a_race_is_lost_only_by_what_was_open():
    for status in ("publishing", "success"):
        assert "race is lost" in answers.passed_over(an_order("queued"), Found(status)).message
        assert "race" not in answers.passed_over(an_order(status), Found(status)).message
    assert "stuck" in answers.passed_over(an_order(), Found("publishing", stuck=True)).message


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (None, "not there"),
        (Found("success", cancels=(Cancel("our-key", OWNER),)), "status is success"),
        (Found("cancelled"), "0 times"),
        (Found("cancelled", cancels=(Cancel("our-key", OWNER), Cancel(None, "ops2@example.com"))), "ops2@example.com"),
    ],
)
def test_what_contradicts_a_cancellation_is_named(found, note):
    told = answers.verification(an_order(), found)
    assert told.verified is Verified.CONTRADICTED
    assert note in told.note


# The embedded file


@pytest.fixture
def file(tmp_path):
    return ScheduleFile(tmp_path / "schedules.db")


@pytest.fixture
async def system(file):
    opened = EmbeddedSchedules(file.path, MovableClock())
    yield opened
    await opened.close()


def explained(file, sql, values):
    connection = sqlite3.connect(file.path)
    try:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        connection.close()


@pytest.mark.parametrize("cursor", [None, Cursor("M", "x")])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        *((DESCRIPTION.default_filter, field) for field in ("run_at", "channel", "owner", "post", "updated", "id")),
        (Filter(), "run_at"),
        (Filter(), "updated"),
        (Filter(), "post"),
        (Filter(), "id"),
        (parse("status:success"), "run_at"),
    ],
    ids=str,
)
def test_pages_are_read_from_an_index_in_its_order(file, wanted, field, cursor, backward):
    query = PageQuery(wanted, Sort(field), cursor=cursor, backward=backward)
    page = embedded_read.PAGES.page(query, embedded_read.PAGES.matching(wanted, None))
    plan = explained(file, page.sql, page.values)
    assert "INDEX" in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("survey", ("[]",)),
        ("arrange", ("[]",)),
        ("cancels", ("[]",)),
        ("whole", ("[]",)),
        ("cancel", {"targets": "[]", "now": "", "reason": ""}),
        ("put_back", {"posts": "[]", "now": ""}),
    ],
)
def test_ids_are_looked_up_and_statuses_never_walked(file, name, values):
    plan = explained(file, embedded_read.SQL[name], values)
    assert not any(step.startswith("SCAN") and "VIRTUAL TABLE" not in step for step in plan), plan
    assert not any("status" in step for step in plan), plan


def test_what_is_due_is_the_beginning_of_an_index(file):
    plan = explained(file, embedded_runners.SQL["due"], {"now": "", "limit": 1})
    assert any("(status=? AND run_at<?)" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_counts_of_statuses_are_kept_and_exact(file, system):
    rows = file.add_all([{"status": status} for status in ("pending", "pending", "queued", "success")])
    await cancel(system, [rows[0]["id"]])
    for text, number in (("status:pending,queued", 2), ("status:cancelled", 1), ("!status:cancelled", 3), ("", 4)):
        assert await system.count(parse(text)) == Count(number)


async def test_due_and_order_are_by_run_at(file, system):
    late, soon, done = file.add_all(
        [
            {"run_at": "2026-01-09T00:00:00.000000Z"},
            {"run_at": "2026-01-03T00:00:00.000000Z"},
            {"run_at": "2026-01-01T00:00:00.000000Z", "status": "success"},
        ]
    )
    seen = await system.survey([late["id"], soon["id"], done["id"]])
    assert [one.due for one in seen] == [late["run_at"], soon["run_at"], None]
    ids = ["unknown-2", late["id"], soon["id"], "unknown-1", soon["id"]]
    assert await system.arrange(ids) == [soon["id"], soon["id"], late["id"], "unknown-2", "unknown-1"]
    assert await system.arrange([]) == []


async def test_a_post_is_put_back_with_its_last_open_schedule(file, system):
    post = file.add()["post_id"]
    second = file.add(post_id=post, status="queued")["id"]
    [first] = [row["id"] for row in file.rows("SELECT id FROM schedule WHERE id <> ?", second)]
    file.add(post_id=post, status="failed")
    assert [effect.code for effect in (await system.survey([first]))[0].effects][1] == "SCHEDULE_POST_KEPT"
    await cancel(system, [first])
    assert file.post_status(post) == "scheduled"
    assert [effect.code for effect in (await system.survey([second]))[0].effects][1] == "SCHEDULE_POST_PUT_BACK"
    await cancel(system, [second])
    assert file.post_status(post) == "ready"


async def test_all_schedules_of_a_post_at_once_put_it_back(file, system):
    first = file.add()
    second = file.add(post_id=first["post_id"])
    await cancel(system, [first["id"], second["id"]])
    assert file.post_status(first["post_id"]) == "ready"


@pytest.mark.parametrize(
    ("other", "post", "after"), [("publishing", "scheduled", "scheduled"), ("success", "published", "published")]
)
async def test_a_post_that_goes_out_elsewhere_stays(file, system, other, post, after):
    row = file.add(post_status=post)
    file.add(post_id=row["post_id"], status=other)
    await cancel(system, [row["id"]])
    assert file.post_status(row["post_id"]) == after


async def test_the_audit_keeps_the_schedule_as_it_was(file, system):
    row = file.add(status="queued", attempts=2)
    [order] = await orders(system, [row["id"]])
    await system.execute([order], errand(reason="campaign postponed"))
    [event] = file.events(row["id"])
    assert (event["event"], event["principal"]) == ("SCHEDULE_CANCELLED", OWNER)
    assert event["details"] == {
        "reason": "campaign postponed",
        "previous_status": "queued",
        "schedule": {
            "id": row["id"],
            "post_variant_id": row["post_variant_id"],
            "channel_connection_id": row["channel_connection_id"],
            "run_at": "2026-01-02T09:00:00Z",
            "timezone": "America/New_York",
            "run_at_local": "2026-01-02T04:00:00",
            "status": "queued",
            "attempt_count": 2,
            "created_at": "2025-01-01T00:00:00Z",
            "updated_at": "2025-01-01T00:00:00Z",
        },
        "run_id": "run-1",
        "idempotency_key": key_of("run-1", row["id"]),
    }
    [stored] = file.rows("SELECT status, cancelled_at, cancellation_reason, updated_at FROM schedule")
    assert stored["status"] == "cancelled"
    assert stored["cancellation_reason"] == "campaign postponed"
    assert stored["cancelled_at"] == stored["updated_at"] == event["at"]


async def test_the_scanner_coming_by_is_no_drift_for_the_write(file, system):
    """It is the same schedule, nearer to its time: what was planned while it was pending is cancelled in the queue."""
    row = file.add()
    chunk = await orders(system, [row["id"]])
    system.clock.forward(86_400)
    assert await system.runners.store.queue_due(10) == 1
    [answer] = await system.execute(chunk, errand())
    assert answer == Answer(ItemState.CANCELLED, before="queued", after="cancelled")


async def test_a_foreign_version_matches_nothing(file, system):
    row = file.add()
    for version in ("", "abc", "-1", "9" * 40, "²"):
        [answer] = await system.execute([Order(row["id"], "k", Seen(row["id"], "pending", version, YES))], errand())
        assert (answer.state, answer.code) == (ItemState.SKIPPED, "DRIFTED")
    assert file.status(row["id"]) == "pending"


async def test_schedules_are_not_reinstated(file, system):
    row = file.add()
    chunk = await orders(system, [row["id"]])
    back = errand().__class__("run-1", 0, Verb.REINSTATE, OWNER, "why not", errand().options)
    with pytest.raises(Conflict):
        await system.execute(chunk, back)
    with pytest.raises(Conflict):
        await system.survey([row["id"]], Verb.REINSTATE)
    assert file.status(row["id"]) == "pending"


async def test_a_write_that_breaks_in_the_middle_leaves_nothing(file, system):
    row = file.add()
    file.change("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = file.dump()
    with pytest.raises(RolledBack, match="no"):
        await cancel(system, [row["id"]])
    assert file.dump() == before


async def test_a_limit_holds_back_whole_requests(file):
    clock = MovableClock()
    system = EmbeddedSchedules(file.path, clock, server_rate=Rate(2, timedelta(minutes=1)))
    other = EmbeddedSchedules(file.path, clock, server_rate=Rate(2, timedelta(minutes=1)))
    rows = [row["id"] for row in file.add_all([{} for _ in range(6)])]
    chunks = [await orders(system, rows[at : at + 2]) for at in (0, 2, 4)]
    assert {one.state for one in await system.execute(chunks[0], errand())} == {ItemState.CANCELLED}
    # Another process counts on, for the same principal.
    assert {one.state for one in await other.execute(chunks[1], errand())} == {ItemState.CANCELLED}
    held = await system.execute(chunks[2], errand())
    assert [type(one) for one in held] == [RateLimited, RateLimited]
    assert 50 < held[0].retry_after <= 60
    assert file.status(rows[4]) == "pending"
    clock.forward(held[0].retry_after)
    assert {one.state for one in await system.execute(chunks[2], errand())} == {ItemState.CANCELLED}
    # What no longer counts is forgotten.
    assert len(file.rows("SELECT * FROM request")) < 3
    assert await system.execute([], errand()) == []
    await system.close()
    await other.close()


async def test_another_principal_is_counted_apart(file):
    system = EmbeddedSchedules(file.path, MovableClock(), server_rate=Rate(1, timedelta(minutes=1)))
    first, second = await orders(system, [row["id"] for row in file.add_all([{}, {}])])
    await system.execute([first], errand())
    [answer] = await system.execute([second], errand(operator="ops2@example.com"))
    assert answer.state is ItemState.CANCELLED
    await system.close()


async def test_a_preview_shows_what_would_happen(file, system):
    row = file.add(status="queued", run_at="2026-01-02T03:13:05.000000Z", content="line\n" + "x" * 5_000)
    preview = await system.preview(row["id"])
    texts = {section.title: section.lines for section in preview.sections}
    assert texts["Goes out on @example"][0] == "2026-01-02T03:13:05Z, in 9 min"
    assert texts["Goes out on @example"][1] == "2026-01-02 04:00:00 in America/New_York"
    assert "the publisher may win" in texts["Goes out on @example"][2]
    assert texts["Content"][-1] == "(cut after 4,096 characters)"
    assert texts["Post Spring sale"] == ("status: scheduled, becomes ready", f"owner: {OWNER}")
    assert texts["Attempts"] == ("0 so far",)
    assert preview.warnings == ()
    system.clock.forward(3_600)
    assert "its time has come" in (await system.preview(row["id"])).warnings[0]


async def test_copies_of_owner_and_channel_follow(file, system):
    row = file.add()
    file.change("UPDATE post SET owner_id = 'ops2@example.com'")
    file.change("UPDATE channel_connection SET display_name = '@renamed'")
    item = await system.item(row["id"])
    assert (item.fields["owner"], item.fields["channel"]) == ("ops2@example.com", "@renamed")


# Demo data


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "schedules.db"
    assert demo.seed(path, 300, NOW) == 300
    return ScheduleFile(path)


@pytest.fixture
async def shown(demo_file):
    clock = MovableClock()
    system = EmbeddedSchedules(demo_file.path, clock)
    yield system
    await system.close()


async def everything(system):
    return (await system.page(PageQuery(Filter(), Sort("run_at"), limit=500))).items


async def test_demo_shows_every_status_verdict_and_effect(shown):
    items = await everything(shown)
    assert {item.status for item in items} == set(DESCRIPTION.statuses)
    assert {item.verdict.code for item in items} == {
        None,
        VerdictCode.PUBLISHING,
        VerdictCode.PUBLISHED,
        VerdictCode.FAILED,
        VerdictCode.ALREADY_CANCELLED,
    }
    assert {"stuck" in item.verdict.reason for item in items if item.status == "publishing"} == {True, False}
    seen = await shown.survey([item.id for item in items])
    assert {effect.code for one in seen for effect in one.effects} == set(DESCRIPTION.effects)
    waiting = [item for item in items if item.status == "pending"]
    left = [datetime.fromisoformat(item.fields["run_at"]) - NOW for item in waiting]
    assert sum(timedelta(0) < one < timedelta(minutes=15) for one in left) >= 3
    assert min(left) > timedelta(0)
    for field in ("owner", "channel", "timezone"):
        assert len({item.fields[field] for item in items}) >= 5


async def test_demo_is_as_if_it_had_happened(demo_file):
    rows = demo_file.rows("SELECT * FROM schedule")
    now = stamp(NOW)
    outbox = Counter(row["schedule_id"] for row in demo_file.rows("SELECT schedule_id FROM outbox"))
    queued = demo_file.rows("SELECT json_extract(body, '$.schedule_id') AS id FROM message")
    assert outbox == Counter(row["id"] for row in rows if row["status"] == "success")
    assert Counter(row["id"] for row in queued) == Counter(row["id"] for row in rows if row["status"] == "queued")
    for row in rows:
        assert row["created_at"] <= row["updated_at"] <= now
        assert UUID(row["id"]).version == 4
        assert (row["cancelled_at"] is not None) is (row["status"] == "cancelled")
        assert len(demo_file.events(row["id"], "SCHEDULE_CANCELLED")) == (row["status"] == "cancelled")
        assert (row["run_at"] > now) is (row["status"] in ("pending", "cancelled"))
        ats = [event["at"] for event in demo_file.events(row["id"])]
        assert ats == sorted(ats)
    wrong = demo_file.rows(
        "SELECT p.id FROM post AS p WHERE p.status = 'ready' AND EXISTS (SELECT 1 FROM schedule AS s"
        " WHERE s.post_id = p.id AND s.status IN ('pending', 'queued', 'publishing', 'success'))"
    )
    assert wrong == []
    assert demo_file.rows("SELECT status, n FROM tally ORDER BY status") == demo_file.rows(
        "SELECT status, count(*) AS n FROM schedule GROUP BY status ORDER BY status"
    )


async def test_demo_is_the_same_every_time_and_grows(tmp_path):
    small, large = ScheduleFile(tmp_path / "a.db"), ScheduleFile(tmp_path / "b.db")
    demo.seed(small.path, 60, NOW)
    demo.seed(large.path, 120, NOW)

    def rows(file):
        return {row["id"]: row for row in file.rows("SELECT * FROM schedule")}

    assert rows(small).items() <= rows(large).items()
    before = rows(small)
    assert demo.seed(small.path, 60, NOW + timedelta(hours=1)) == 0
    assert rows(small) == before
    assert demo.seed(small.path, 120, NOW) == 60
    assert rows(small) == rows(large)


async def test_the_demo_is_a_scheduler_to_work_with(tmp_path):
    demo.seed(tmp_path / "schedules.db", 200, NOW)
    clock = MovableClock()
    system = EmbeddedSchedules(tmp_path / "schedules.db", clock)
    waiting = (await system.page(PageQuery(parse("status:queued"), Sort("run_at")))).items
    [answer] = await cancel(system, [waiting[0].id])
    assert answer.state is ItemState.CANCELLED
    publisher = system.runners.publisher
    passed = [await publisher.work_one() for _ in waiting]
    assert Counter(passed) == {"published": len(waiting) - 1, "skipped": 1}
    await system.close()


def test_the_first_view_of_the_demo_can_be_cancelled(demo_file):
    connection = sqlite3.connect(demo_file.path)
    number = connection.execute("SELECT count(*) FROM schedule WHERE status IN ('pending', 'queued')").fetchone()[0]
    connection.close()
    assert number > 150
