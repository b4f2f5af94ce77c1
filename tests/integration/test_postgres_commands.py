"""Reading a real command bus: pages, counts, surveys, previews, trails, and what is said where it cannot be read."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.conninfo import make_conninfo

from support.command_bus import Generation, open_bus
from support.orders import cancel, errand, named, orders
from tui_app.database.postgres import Patience
from tui_app.domain import moments
from tui_app.domain.errors import (
    Busy,
    CannotConnect,
    MalformedFilter,
    MalformedId,
    NotAllowed,
    NotFound,
    UsageProblem,
)
from tui_app.domain.filters import Filter, Op, Term, parse
from tui_app.domain.items import Cursor, PageQuery, Sort
from tui_app.domain.verdict import Effect, VerdictCode
from tui_app.systems.commands import rules
from tui_app.systems.commands.postgres import PostgresCommands

GENERATIONS = pytest.mark.parametrize("generation", list(Generation))
NEWEST = Sort("updated", descending=True)
EVERYTHING = Filter()


def place(item, sort):
    return Cursor(item.fields[sort.field], item.id)


async def walk(system, query_filter, sort, *, backward=False, limit=3):
    """Every id, page by page, in the order of the sort."""
    ids, cursor, pages = [], None, 0
    while True:
        page = await system.page(PageQuery(query_filter, sort, limit=limit, cursor=cursor, backward=backward))
        found = [item.id for item in page.items]
        ids = found + ids if backward else ids + found
        pages += 1
        more, behind = (page.more_before, page.more_after) if backward else (page.more_after, page.more_before)
        assert behind is (pages > 1)
        if not more:
            return ids
        cursor = place(page.items[0 if backward else -1], sort)


@pytest.fixture
async def mixed(bus):
    """Ten commands of two domains with ties in every column, some with nothing in it."""
    payments = await bus.waiting("payments", 4, reply_to="payments__replies", command_type="Debit")
    await bus.fail_all(more := await bus.send("payments", 3, command_type="Credit"), code="TIMEOUT", message="late")
    untouched = await bus.send("ledger", 3)
    same = datetime(2030, 1, 1, tzinfo=UTC)
    for own in (*payments[:2], more[0], untouched[0]):
        await bus.set(own, updated_at=same)
    return [*named("payments", [*payments, *more]), *named("ledger", untouched)]


@pytest.mark.parametrize("field", sorted(rules.DESCRIPTION.sortable))
@pytest.mark.parametrize("descending", [True, False])
async def test_pages_both_ways_hold_every_row_once_and_in_order(commands, mixed, field, descending):
    sort = Sort(field, descending)
    forwards = await walk(commands, EVERYTHING, sort)
    assert sorted(forwards) == sorted(mixed)
    assert await walk(commands, EVERYTHING, sort, backward=True) == forwards
    whole = await commands.page(PageQuery(EVERYTHING, sort))
    assert [item.id for item in whole.items] == forwards
    assert (whole.more_before, whole.more_after) == (False, False)


async def test_the_order_is_the_one_that_was_asked_for(commands, mixed):
    page = await commands.page(PageQuery(EVERYTHING, NEWEST))
    updated = [item.fields["updated"] for item in page.items]
    assert updated == sorted(updated, reverse=True)


async def test_an_item_has_every_described_field_and_its_verdict(bus, commands):
    await bus.queues("payments__replies")
    batch, (own,) = await bus.send_batch("payments", ["payments__replies"])
    await bus.fail("payments", own, code="INVALID_ACCOUNT", message="no such account")
    row = await bus.command("payments", own)

    item = await commands.item(f"payments/{own}")

    assert set(item.fields) == set(rules.KINDS)
    assert item.verdict.cancellable
    assert dict(item.fields) == {
        "id": f"payments/{own}",
        "domain": "payments",
        "command_id": str(own),
        "type": "DebitAccount",
        "status": "IN_TROUBLESHOOTING_QUEUE",
        "error_code": "INVALID_ACCOUNT",
        "error": "no such account",
        "error_type": "PERMANENT",
        "attempts": 1,
        "max_attempts": 3,
        "reply_queue": "payments__replies",
        "queue": "payments__commands",
        "updated": moments.stamp(row["updated_at"]),
        "created": moments.stamp(row["created_at"]),
        "correlation_id": str(row["correlation_id"]),
        "batch": str(batch),
    }
    (listed,) = (await commands.page(PageQuery(EVERYTHING, NEWEST))).items
    assert listed == item


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("status:IN_TROUBLESHOOTING_QUEUE", 7),
        ("!status:IN_TROUBLESHOOTING_QUEUE", 3),
        ("domain:ledger", 3),
        ("error_code:TIMEOUT,OTHER", 3),
        ('error_code:""', 3),
        ("type:Debit error_code:INVALID_ACCOUNT", 4),
        ("attempts>0", 7),
        ("attempts>=1.5", 0),
        ("updated>2029-06-01", 4),
        ("updated<2029-06-01 domain:ledger", 2),
        ("LATE", 3),
        ('"100%"', 0),
        ("!such", 6),
    ],
)
async def test_filters_choose_rows_and_the_count_agrees(commands, mixed, text, number):
    wanted = parse(text)
    assert len(await walk(commands, wanted, NEWEST)) == number
    count = await commands.count(wanted)
    assert (count.value, count.exact) == (number, True)


async def test_one_row_is_found_by_its_id(commands, mixed):
    wanted = Filter((Term("id", Op.ANY, (mixed[4],)),))
    assert await walk(commands, wanted, NEWEST) == [mixed[4]]


async def test_a_count_before_a_place_is_the_rows_above_it(commands, mixed):
    page = await commands.page(PageQuery(EVERYTHING, NEWEST))
    for above, item in enumerate(page.items):
        count = await commands.count(EVERYTHING, before=(NEWEST, place(item, NEWEST)))
        assert count.value == above


async def test_what_changed_later_is_left_out_as_of_a_time(bus, commands):
    early = await bus.waiting("payments", 2)
    as_of = (await commands.page(PageQuery(EVERYTHING, NEWEST))).as_of
    await bus.waiting("payments", 3)
    wanted = rules.DESCRIPTION.default_filter
    page = await commands.page(PageQuery(wanted, NEWEST, as_of=as_of))
    assert {item.id for item in page.items} == set(named("payments", early))
    assert (await commands.count(wanted, as_of=as_of)).value == 2


async def test_an_empty_bus_has_an_empty_page_with_its_own_time(commands):
    page = await commands.page(PageQuery(EVERYTHING, NEWEST))
    assert (page.items, page.more_before, page.more_after) == ((), False, False)
    assert abs(moments.read(page.as_of) - datetime.now(UTC)) < timedelta(minutes=5)
    assert (await commands.count(EVERYTHING)).value == 0


async def test_a_count_that_takes_too_long_becomes_an_estimate_that_says_so(bus):
    await bus.waiting("payments", 50)
    await bus.run("ANALYZE commandbus.command")
    # A view of the table that takes its time, whatever the machine: two hundred seconds if it were let.
    await bus.run("ALTER TABLE commandbus.command RENAME TO rows")
    await bus.run("CREATE VIEW commandbus.command AS SELECT r.* FROM commandbus.rows r, LATERAL (SELECT pg_sleep(4)) s")
    system = PostgresCommands(bus.url, count_seconds=0.05)
    count = await system.count(EVERYTHING)
    await system.close()
    assert (count.value, count.exact) == (50, False)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (PageQuery(parse("colour:red"), NEWEST), MalformedFilter),
        (PageQuery(parse("attempts>many"), NEWEST), MalformedFilter),
        (PageQuery(parse("updated>yesterday"), NEWEST), MalformedFilter),
        (PageQuery(EVERYTHING, Sort("error")), MalformedFilter),
        (PageQuery(EVERYTHING, Sort("1; DROP TABLE commandbus.command")), MalformedFilter),
        (PageQuery(EVERYTHING, NEWEST, cursor=Cursor("once upon a time", f"payments/{UUID(int=1)}")), MalformedFilter),
        (PageQuery(EVERYTHING, Sort("type"), cursor=Cursor("half \ud800", f"payments/{UUID(int=1)}")), MalformedFilter),
        (PageQuery(EVERYTHING, Sort("attempts"), cursor=Cursor("many", f"payments/{UUID(int=1)}")), MalformedFilter),
        (PageQuery(EVERYTHING, NEWEST, cursor=Cursor(None, "payments/nonsense")), MalformedFilter),
        (PageQuery(EVERYTHING, NEWEST, cursor=Cursor(None, "nonsense")), MalformedId),
        (PageQuery(EVERYTHING, NEWEST, as_of="soon"), MalformedFilter),
        (PageQuery(Filter((Term("type", Op.ANY, ("a\0b",)),)), NEWEST), MalformedFilter),
        (PageQuery(Filter((Term("", Op.TEXT, ("half \ud800",)),)), NEWEST), MalformedFilter),
    ],
)
async def test_what_cannot_be_asked_is_said(commands, query, error):
    with pytest.raises(error):
        await commands.page(query)


@pytest.mark.parametrize(
    "text",
    [
        "payments",
        "payments/",
        "/6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21",
        "payments/abc-123",
        "payments/6f1f0f4e8f0a4c559b2e0d6f3a1c7e21",
        "payments/{6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21}",
        "pay\x1bments/6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21",
        "pay\ud800ments/6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21",
    ],
)
async def test_a_malformed_id_is_refused_without_looking(text):
    system = PostgresCommands("postgresql://nobody@192.0.2.1/nowhere")
    with pytest.raises(MalformedId):
        system.check_id(text)


async def test_an_id_has_one_spelling(commands):
    given = "Payments EU/6F1F0F4E-8F0A-4C55-9B2E-0D6F3A1C7E21"
    assert commands.check_id(given) == "Payments EU/6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21"


@GENERATIONS
async def test_a_survey_has_the_order_of_the_ids_and_says_what_is_missing(bus, commands, generation):
    await bus.queues("payments__replies")
    _, (told, silent) = await bus.send_batch("payments", ["payments__replies", None])
    await bus.fail_all([told, silent])
    (untouched,) = await bus.send("payments")
    ghost = f"payments/{uuid4()}"
    ids = [ghost, *named("payments", [untouched, silent, told])]

    missing, pending, without, with_reply = await commands.survey(ids)

    assert [seen.id for seen in (missing, pending, without, with_reply)] == ids
    assert (missing.status, missing.verdict.code) == ("", VerdictCode.NOT_FOUND)
    assert (pending.status, pending.verdict.code) == ("PENDING", VerdictCode.NOT_IN_TROUBLESHOOTING)
    assert pending.effects == ()
    assert with_reply.verdict.cancellable
    assert with_reply.effects == (
        Effect("REPLY", "payments__replies"),
        Effect("BATCH"),
        Effect("IRREVERSIBLE"),
    )
    assert without.effects == (Effect("NO_REPLY"), Effect("BATCH"), Effect("IRREVERSIBLE"))


async def test_the_version_changes_whenever_the_bus_changes_the_command(bus, commands):
    (own,) = await bus.send("payments")
    seen = []

    async def look():
        seen.append((await commands.survey(named("payments", [own])))[0].version)

    await look()
    await bus.fail("payments", own)
    await look()
    await bus.operators.operator_retry("payments", own)
    await look()
    await bus.fail("payments", own)
    await look()
    await cancel(commands, named("payments", [own]))
    await look()
    assert len(set(seen)) == 5


async def test_the_preview_shows_the_reply_the_batch_the_error_and_the_payload(bus, commands):
    await bus.queues("payments__replies")
    batch, (own, _) = await bus.send_batch("payments", ["payments__replies", None])
    await bus.fail("payments", own, message="first line\nsecond line")

    preview = await commands.preview(f"payments/{own}")
    sections = {section.title: section.lines for section in preview.sections}

    assert preview.verdict.cancellable
    assert Effect("REPLY", "payments__replies") in preview.effects
    assert f'  "command_id": "{own}",' in sections["Reply to payments__replies"]
    assert "commands: 2" in sections[f"Batch {batch}"]
    assert "in troubleshooting: 1" in sections[f"Batch {batch}"]
    assert sections["Last error INVALID_ACCOUNT"] == ("first line", "second line")
    assert '    "n": 0' in sections["Payload"]


async def test_a_process_manager_that_waits_for_the_reply_is_warned_of(bus, commands):
    await bus.queues("payments__replies")
    process = uuid4()
    await bus.process("ordering", uuid4(), "Restock")
    await bus.process("shipping", process, "ShipOrder")
    await bus.process("zoning", uuid4(), "Zone")
    ids = [
        *await bus.waiting("payments", reply_to="payments__replies", correlation_id=process),
        *await bus.waiting("payments", reply_to="payments__replies", correlation_id=uuid4()),
    ]
    waiting, alone = await commands.survey(named("payments", ids))
    preview = await commands.preview(f"payments/{ids[0]}")
    assert Effect("COMPENSATION") in waiting.effects
    assert Effect("COMPENSATION") not in alone.effects
    assert Effect("COMPENSATION") in preview.effects
    assert any("ShipOrder" in warning for warning in preview.warnings)


@pytest.mark.parametrize("generation", [Generation.SECOND])
async def test_without_a_process_manager_nothing_is_said_of_one(bus, commands):
    (own,) = await bus.waiting("payments", correlation_id=uuid4())
    preview = await commands.preview(f"payments/{own}")
    assert Effect("COMPENSATION") not in preview.effects


@pytest.mark.parametrize(
    "loss",
    [
        "DROP TABLE pgmq.a_payments__commands",
        "TRUNCATE pgmq.a_payments__commands",
        "UPDATE commandbus.command SET msg_id = NULL",
        "UPDATE pgmq.a_payments__commands SET message = jsonb_build_object('command_id', gen_random_uuid())",
    ],
)
async def test_a_payload_that_the_archive_does_not_hold_is_not_known_and_no_error(bus, commands, loss):
    (own,) = await bus.waiting("payments")
    await bus.run(loss)
    preview = await commands.preview(f"payments/{own}")
    (payload,) = [section for section in preview.sections if section.title == "Payload"]
    assert payload.lines == ("not known: the archive does not hold it",)
    assert preview.verdict.cancellable
    assert (await commands.item(f"payments/{own}")).id == f"payments/{own}"
    (answer,) = await cancel(commands, named("payments", [own]))
    assert answer.after == "CANCELED"


async def test_a_payload_of_megabytes_is_cut_and_an_error_of_megabytes_too(bus, commands):
    (own,) = await bus.waiting("payments", data={"blob": "x" * 3_000_000})
    await bus.set(own, last_error_msg="e" * 3_000_000)
    preview = await commands.preview(f"payments/{own}")
    assert sum(len(line) for section in preview.sections for line in section.lines) < 100_000
    page = await commands.page(PageQuery(EVERYTHING, NEWEST))
    assert len(page.items[0].fields["error"]) < 5_000


async def test_a_domain_of_any_name_is_read(bus, commands):
    (own,) = await bus.waiting("payments")
    domain = "Pay \"ments' 100%s {x}; --"
    await bus.set(own, domain=domain)
    item = f"{domain}/{own}"
    assert (await commands.item(item)).fields["domain"] == domain
    assert (await commands.preview(item)).verdict.cancellable
    (answer,) = await cancel(commands, [item])
    assert answer.after == "CANCELED"
    assert [entry.event for entry in await commands.trail(item)] == ["OPERATOR_CANCEL"]


async def test_hostile_texts_come_back_as_they_are(bus, commands):
    hostile = "[@click=app.quit]x[/] a[/]b \x1b[31m\u202e\u200b\x07"
    (own,) = await bus.waiting("payments", command_type=hostile)
    await bus.set(own, last_error_msg=hostile, last_error_code=hostile)
    item = await commands.item(f"payments/{own}")
    assert (item.fields["type"], item.fields["error"], item.fields["error_code"]) == (hostile,) * 3
    wanted = Filter((Term("type", Op.ANY, (hostile,)),))
    assert await walk(commands, wanted, NEWEST) == [item.id]


async def test_the_trail_is_in_the_order_of_writing(bus, commands):
    (own,) = await bus.send("payments")
    await bus.fail("payments", own)
    await bus.operators.operator_retry("payments", own, operator="joe@example.com")
    await bus.fail("payments", own)
    await cancel(commands, named("payments", [own]))

    trail = await commands.trail(f"payments/{own}")

    assert [entry.event for entry in trail] == [
        "SENT",
        "RECEIVED",
        "MOVED_TO_TSQ",
        "OPERATOR_RETRY",
        "RECEIVED",
        "MOVED_TO_TSQ",
        "OPERATOR_CANCEL",
    ]
    assert trail[3].actor == "joe@example.com"
    assert (trail[0].actor, trail[-1].actor) == (None, "jane@example.com")
    assert trail[-1].details["run_id"] == "run-1"
    assert [entry.at for entry in trail] == sorted(entry.at for entry in trail)


@pytest.mark.parametrize("details", ["null", "[1, 2]", '"text"', '{"operator": 7}'])
async def test_a_trail_entry_of_any_shape_is_shown(bus, commands, details):
    (own,) = await bus.send("payments")
    await bus.run("UPDATE commandbus.audit SET details_json = %s::jsonb", details)
    (entry,) = await commands.trail(f"payments/{own}")
    assert entry.actor is None
    assert isinstance(entry.details, dict)


async def test_what_is_not_there_is_not_found(commands):
    ghost = f"payments/{uuid4()}"
    with pytest.raises(NotFound):
        await commands.item(ghost)
    with pytest.raises(NotFound):
        await commands.preview(ghost)
    assert await commands.trail(ghost) == []


async def test_the_identity_is_the_databases_whoever_asks_and_from_where(databases, bus, commands):
    identity = await commands.identity()
    plain = PostgresCommands(databases.role(bus.url, "USAGE ON SCHEMA commandbus"))
    elsewhere = PostgresCommands(make_conninfo(bus.url, application_name="another", connect_timeout=9))
    with databases.bus() as other_url:
        other = PostgresCommands(other_url)
        assert await plain.identity() == identity
        assert await elsewhere.identity() == identity
        assert await other.identity() != identity
        await other.close()
    await plain.close()
    await elsewhere.close()


async def test_a_reader_sees_everything_that_he_may(databases, bus):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies", correlation_id=uuid4())
    url = databases.role(bus.url, "USAGE ON SCHEMA commandbus, pgmq", "SELECT ON commandbus.command, commandbus.audit")
    system = PostgresCommands(url)
    preview = await system.preview(f"payments/{own}")
    assert preview.verdict.cancellable
    assert ("not known: the archive does not hold it",) in [section.lines for section in preview.sections]
    (seen,) = await system.survey(named("payments", [own]))
    assert seen.verdict.code is VerdictCode.FORBIDDEN
    assert "GRANT UPDATE ON commandbus.command" in seen.verdict.reason
    assert [entry.event for entry in await system.trail(f"payments/{own}")]
    await system.close()


async def test_a_reader_without_the_audit_is_told_so(databases, bus):
    (own,) = await bus.waiting("payments")
    system = PostgresCommands(databases.role(bus.url, "USAGE ON SCHEMA commandbus", "SELECT ON commandbus.command"))
    with pytest.raises(NotAllowed, match="permission denied for table audit"):
        await system.preview(f"payments/{own}")
    with pytest.raises(NotAllowed, match="permission denied for table audit"):
        await system.trail(f"payments/{own}")
    await system.close()


async def test_a_database_without_a_bus_says_so(databases):
    with databases.empty() as url:
        system = PostgresCommands(url)
        with pytest.raises(CannotConnect) as raised:
            await system.page(PageQuery(EVERYTHING, NEWEST))
        assert "command bus" in raised.value.hint
        await system.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"port": 1}, "refused"), ({"dbname": "quash_no_such_database"}, "does not exist")],
)
async def test_what_cannot_be_reached_says_why(postgres_url, change, said):
    system = PostgresCommands(make_conninfo(postgres_url, **change))
    with pytest.raises(CannotConnect, match=said):
        await system.identity()
    await system.close()


async def test_a_password_is_in_no_message():
    with pytest.raises(UsageProblem) as raised:
        PostgresCommands("postgresql://jane:s3cret@[host/db")
    assert "s3cret" not in str(raised.value)
    system = PostgresCommands("postgresql://jane:s3cret@127.0.0.1:1/db")
    with pytest.raises(CannotConnect) as lost:
        await system.identity()
    assert "s3cret" not in f"{lost.value} {lost.value.hint} {lost.value.details}"


async def test_no_connection_to_be_had_is_busy(bus):
    system = PostgresCommands(bus.url, size=1, patience=Patience(connection=0.2))
    ids = named("payments", own := await bus.waiting("payments"))
    chunk = await orders(system, ids)
    async with bus.holding(*own):
        waiting = asyncio.create_task(system.execute(chunk, errand()))
        await bus.until_blocked(1)
        with pytest.raises(Busy):
            await system.survey(ids)
    await waiting
    assert len(await system.survey(ids)) == 1
    await system.close()


async def test_the_adapter_can_be_used_again_after_it_was_closed(bus, commands):
    await bus.waiting("payments")
    await commands.close()
    assert (await commands.count(EVERYTHING)).value == 1


async def test_a_thousand_ids_are_one_statement(databases):
    with databases.bus() as url:
        async with open_bus(url) as bus:
            ids = named("payments", await bus.waiting("payments", 1_000))
            system = PostgresCommands(url)
            seen = await system.survey(ids)
            await system.close()
    assert [one.id for one in seen] == ids
