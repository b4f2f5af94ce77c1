"""Databases that are not in UTF-8: what they cannot hold is known before it is sent, and nothing else is refused."""

import pytest
from psycopg.conninfo import make_conninfo

from support.benches import Given, State
from support.command_bus import open_bus
from support.odd_rows import goes_on
from support.orders import errand, named, orders
from support.postgres_bench import postgres_bench
from support.postgres_schedules_bench import postgres_schedules_bench
from support.schedule_service import ScheduleRows
from tui_app.database import encodings
from tui_app.database.encodings import UnencodableText, foreign_characters
from tui_app.domain.errors import InvalidReason, UsageProblem
from tui_app.domain.filters import parse
from tui_app.domain.items import PageQuery
from tui_app.domain.run import ItemState
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.commands.operator import TroubleshootingQueue
from tui_app.systems.schedules.postgres import PostgresSchedules

DASH, SAID = "caused by – the deploy", "– (U+2013)"
ENCODINGS = ["LATIN1", "SQL_ASCII"]


@pytest.fixture(params=ENCODINGS)
def encoding(request):
    return request.param


@pytest.fixture
def url(databases, encoding):
    with databases.bus_in(encoding) as made:
        # The library's own connections have to say in which encoding they speak.
        yield make_conninfo(made, client_encoding="utf8")


@pytest.fixture
async def bus(url):
    async with open_bus(url) as opened:
        yield opened


async def test_a_reason_that_the_database_cannot_keep_is_refused_and_names_its_characters(bus, commands, encoding):
    await bus.queues("payments__replies")
    own = await bus.waiting("payments", 2, reply_to="payments__replies")
    chunk = await orders(commands, named("payments", own))

    with pytest.raises(InvalidReason, match=r"the reason holds – \(U\+2013\)") as told:
        await commands.check_words("jane@example.com", DASH)
    answers = await commands.execute(chunk, errand(reason=DASH))

    assert encoding in told.value.message
    assert {(answer.state, answer.code) for answer in answers} == {(ItemState.REFUSED, "INVALID_REASON")}
    assert all(SAID in answer.message and encoding in answer.message for answer in answers)
    assert await bus.statuses(own) == {"IN_TROUBLESHOOTING_QUEUE": 2}
    assert await bus.replies("payments__replies") == []
    answers = await commands.execute(chunk, errand(reason="caused by the deploy"))
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}


async def test_a_name_that_the_database_cannot_keep_is_refused(bus, commands):
    (own,) = await bus.waiting("payments")
    with pytest.raises(UsageProblem, match="the name of the operator holds Ж"):
        await commands.check_words("Женя", "duplicate request")
    (answer,) = await commands.execute(await orders(commands, named("payments", [own])), errand(operator="Женя"))
    assert (answer.state, answer.code) == (ItemState.REFUSED, "USAGE")
    assert await bus.cancellations(own) == []


async def test_the_python_call_refuses_such_a_reason_as_any_other_that_cannot_be(bus, commands):
    (own,) = await bus.waiting("payments")
    with pytest.raises(InvalidReason, match="–"):
        await TroubleshootingQueue(commands).operator_cancel("payments", own, DASH)
    assert await bus.statuses([own]) == {"IN_TROUBLESHOOTING_QUEUE": 1}


async def test_an_id_that_the_database_cannot_hold_is_of_no_command_and_the_others_go_on(bus, commands):
    (own,) = await bus.waiting("payments")
    odd = f"pay–ments/{own}"
    missing, there = await commands.survey([odd, f"payments/{own}"])
    assert (missing.id, missing.verdict.code) == (odd, VerdictCode.NOT_FOUND)
    assert there.verdict.cancellable


@pytest.mark.parametrize("encoding", ["LATIN1"])
async def test_a_filter_that_can_match_nothing_there_is_refused_and_names_its_characters(commands):
    for text in ("– deploy", "domain:pay–ments", "!error_code:A,–"):
        query = PageQuery(parse(text), commands.description.default_sort)
        with pytest.raises(UnencodableText) as told:
            await commands.page(query)
        assert SAID in told.value.message
        with pytest.raises(UnencodableText):
            await commands.count(query.filter)


@pytest.mark.parametrize("encoding", ["SQL_ASCII"])
async def test_bytes_are_looked_for_where_the_database_knows_no_encoding(bus, commands):
    (own,) = await bus.waiting("payments")
    await bus.run("UPDATE commandbus.command SET domain = %s", "pay–ments")
    page = await commands.page(PageQuery(parse("domain:pay–ments –"), commands.description.default_sort))
    assert [item.id for item in page.items] == [f"pay–ments/{own}"]
    (seen,) = await commands.survey([f"pay–ments/{own}"])
    assert seen.verdict.cancellable


@pytest.mark.parametrize("encoding", ["LATIN1"])
async def test_what_the_database_can_hold_arrives_as_it_is(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    reason = "compte fermé, à refaire"
    (answer,) = await commands.execute(
        await orders(commands, named("payments", [own])), errand(operator="zoë", reason=reason)
    )
    (reply,) = await bus.replies("payments__replies")
    (details,) = await bus.cancellations(own)
    assert answer.state is ItemState.CANCELLED
    assert (reply["reason"], details["reason"], details["operator"]) == (reason, reason, "zoë")


async def test_schedules_in_such_a_database_refuse_the_reason_too(url):
    there = ScheduleRows(url)
    await there.prepare()
    ids = await there.add(2, status="pending", run_at="2099-01-01T00:00:00Z")
    system = PostgresSchedules(url)
    try:
        with pytest.raises(InvalidReason, match=r"– \(U\+2013\)"):
            await system.check_words("jane@example.com", DASH)
        chunk = await orders(system, ids)
        answers = await system.execute(chunk, errand(reason=DASH))
        missing, _ = await system.survey(["sched–1", ids[0]])
        assert sorted(await system.arrange(["sched–1", *ids])) == sorted(["sched–1", *ids])
    finally:
        await system.close()
    assert {(answer.state, answer.code) for answer in answers} == {(ItemState.REFUSED, "INVALID_REASON")}
    assert missing.verdict.code is VerdictCode.NOT_FOUND
    assert await there.statuses() == {"pending": 2}


@pytest.mark.parametrize("encoding", ["LATIN1"])
async def test_the_server_itself_refuses_what_is_refused_before(bus, commands, monkeypatch):
    monkeypatch.setattr(encodings, "_codec", lambda _: None)
    own = await bus.waiting("payments", 2)
    chunk = await orders(commands, named("payments", own))
    answers = await commands.execute(chunk, errand(reason=DASH))
    assert {(answer.state, answer.code) for answer in answers} == {(ItemState.REFUSED, "REFUSED")}
    assert all("rolled it back" in answer.message and "LATIN1" in answer.message for answer in answers)
    assert await bus.statuses(own) == {"IN_TROUBLESHOOTING_QUEUE": 2}


@pytest.mark.parametrize(
    ("text", "name", "foreign"),
    [
        ("plain", "LATIN1", ""),
        ("é–€é", "LATIN1", "–€"),
        ("é–€", "LATIN9", "–"),
        ("é–€", "WIN1252", ""),
        ("Женя–", "KOI8R", "–"),
        ("日本–", "EUC_JP", ""),
        ("日本é", "SQL_ASCII", "日本é"),
        ("anything –", "UTF8", ""),
        ("left to the server –", "MULE_INTERNAL", ""),
        ("half \ud800", "LATIN1", ""),
    ],
)
def test_the_characters_that_an_encoding_lacks_are_named(text, name, foreign):
    assert foreign_characters(text, name) == foreign


BYTES = "convert_from('\\x636166e920e280'::bytea, 'SQL_ASCII')"
"""A text of bytes that are not UTF-8: a word in Latin-1, and the beginning of a sign that was cut in its middle."""


@pytest.mark.parametrize("encoding", ["SQL_ASCII"])
async def test_a_command_whose_text_is_not_utf_8_hides_no_other(url):
    async with postgres_bench(url) as bench:
        shown, deciding, fine = await bench.add([Given(State.WAITING, minute=n) for n in range(3)])
        for item_id, column in ((shown, "last_error_msg"), (deciding, "reply_queue")):
            own = item_id.partition("/")[2]
            await bench._run(f"UPDATE commandbus.command SET {column} = {BYTES} WHERE command_id = %s", own)
        await goes_on(bench, bench.open(), shown, deciding, fine, "reply_queue")


@pytest.mark.parametrize("encoding", ["SQL_ASCII"])
async def test_a_schedule_whose_text_is_not_utf_8_hides_no_other(url):
    async with postgres_schedules_bench(url) as bench:
        shown, deciding, fine = await bench.add([Given(State.WAITING, minute=n) for n in range(3)])
        await bench.rows.run(
            f"UPDATE scheduler.post_variant SET content = {BYTES}"
            " WHERE id = (SELECT post_variant_id FROM scheduler.schedule WHERE id = %s)",
            shown,
        )
        await bench.rows.run(f"UPDATE scheduler.schedule SET channel = {BYTES} WHERE id = %s", deciding)
        await goes_on(bench, bench.open(), shown, deciding, fine, "channel")


@pytest.mark.parametrize("encoding", ["LATIN1"])
async def test_a_text_of_another_encoding_is_read_as_it_is(bus, commands):
    await bus.waiting("payments")
    await bus.run("UPDATE commandbus.command SET last_error_msg = %s", "café fermé")
    (item,) = (await commands.page(PageQuery(parse("café"), commands.description.default_sort))).items
    assert item.fields["error"] == "café fermé"
