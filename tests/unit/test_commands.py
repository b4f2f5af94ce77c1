"""What is particular to commands: their rules, the embedded file, and the demo's rows."""

import json
import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.embedded_bus import CommandBus, command_bus
from support.orders import cancel, orders
from tui_app.domain.errors import Conflict, MalformedId
from tui_app.domain.filters import Filter, Op, Term, parse
from tui_app.domain.items import Count, Cursor, PageQuery, Sort
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import Answer, ItemState, Order, Verified
from tui_app.domain.verdict import YES, Effect, VerdictCode
from tui_app.systems.commands import answers, demo, embedded_read, embedded_write, rules
from tui_app.systems.commands.bus import EmbeddedBus, Message
from tui_app.systems.commands.embedded import EmbeddedCommands
from tui_app.systems.commands.words import DESCRIPTION, EFFECT_WORDS

UUID = "6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21"
WAITING = "IN_TROUBLESHOOTING_QUEUE"


# Ids


@pytest.mark.parametrize(
    ("text", "parts"),
    [("payments/abc-123", ("payments", "abc-123")), ("a/b/c", ("a", "b/c")), ("a//", ("a", "/"))],
)
def test_an_id_is_split_at_the_first_slash(text, parts):
    assert rules.split_id(text) == parts
    assert rules.join_id(*parts) == text


@pytest.mark.parametrize("text", ["", "abc", "/abc", "abc/", "a/\x00", " a/b", "a/b\n"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(MalformedId) as refused:
        rules.split_id(text)
    assert refused.value.hint


def test_a_uuid_has_one_spelling():
    assert rules.check_uuid_id(f"payments/{UUID.upper()}") == f"payments/{UUID}"
    for other in (UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", f"{UUID}0", "abc-123", "٣" * 8 + UUID[8:]):
        with pytest.raises(MalformedId):
            rules.check_uuid_id(f"payments/{other}")


@given(st.text(max_size=30))
def test_an_id_is_refused_or_comes_back(text):
    try:
        parts = rules.split_id(text)
    except MalformedId:
        return
    assert rules.join_id(*parts) == text
    assert not any(unicodedata.category(character) == "Cc" for character in text)


# Verdicts and effects


@pytest.mark.parametrize(
    ("status", "queue", "fault", "code"),
    [
        (WAITING, "", rules.QUEUE_MISSING, None),
        (WAITING, "r", None, None),
        (WAITING, "r", rules.QUEUE_MISSING, VerdictCode.REPLY_QUEUE_MISSING),
        (WAITING, "r", rules.QUEUE_TOO_LONG, VerdictCode.REPLY_QUEUE_MISSING),
        (WAITING, "r", "GRANT INSERT ON pgmq.q_r TO quash", VerdictCode.FORBIDDEN),
        ("PENDING", "r", None, VerdictCode.NOT_IN_TROUBLESHOOTING),
        ("IN_PROGRESS", "r", rules.QUEUE_MISSING, VerdictCode.NOT_IN_TROUBLESHOOTING),
        ("COMPLETED", "r", None, VerdictCode.TERMINAL),
        ("FAILED", "r", None, VerdictCode.TERMINAL),
        ("CANCELED", "r", rules.QUEUE_MISSING, VerdictCode.ALREADY_CANCELLED),
        ("SOMETHING_NEW", "r", None, VerdictCode.NOT_IN_TROUBLESHOOTING),
    ],
)
def test_verdicts(status, queue, fault, code):
    verdict = rules.verdict(status, queue, fault)
    assert (verdict.cancellable, verdict.code) == (code is None, code)
    if code is None:
        assert verdict.reason is None
    else:
        # the sentence names what is in the way, in our own words
        assert "CANCELED" not in verdict.reason
        named = queue if status == WAITING else status
        assert named in verdict.reason or code is VerdictCode.ALREADY_CANCELLED


@pytest.mark.parametrize(
    ("queue", "batch", "process", "codes"),
    [
        ("r", False, False, ["REPLY", "IRREVERSIBLE"]),
        ("", False, False, ["NO_REPLY", "IRREVERSIBLE"]),
        ("r", True, True, ["REPLY", "BATCH", "COMPENSATION", "IRREVERSIBLE"]),
        # a process manager hears of it by the reply, and by nothing else
        ("", True, True, ["NO_REPLY", "BATCH", "IRREVERSIBLE"]),
    ],
)
def test_effects(queue, batch, process, codes):
    found = rules.effects(queue, batch, process)
    assert [effect.code for effect in found] == codes
    assert Effect("REPLY", "r") in found or queue == ""


def test_the_words_are_complete_and_our_own():
    for words in EFFECT_WORDS.values():
        assert "{count}" in words.many
        assert "{count}" not in words.one
        for text in (words.one, words.many):
            assert text.format(count=3, target="r")
            assert "CANCELED" not in text
    assert EFFECT_WORDS["IRREVERSIBLE"].irreversible
    assert EFFECT_WORDS["COMPENSATION"].warning
    assert [column.field for column in DESCRIPTION.columns] == [
        "id", "type", "status", "error_code", "error", "attempts", "reply_queue", "updated",
    ]  # fmt: skip
    assert set(DESCRIPTION.status_tones) == set(DESCRIPTION.statuses)
    assert str(DESCRIPTION.default_filter) == f"status:{WAITING}"
    assert str(DESCRIPTION.default_sort) == "-updated"
    assert DESCRIPTION.filterable == frozenset(rules.KINDS)


# The reply, the audit, the preview

COMMAND = rules.Command("payments", "abc-123", "DebitAccount", WAITING, 3, 3, "payments__replies", "order-7", "b1")


def test_the_reply_is_the_union_of_both_formats():
    reply = rules.reply(COMMAND, "duplicate request", "2026-01-01T00:00:00.000000Z")
    assert reply == {
        "command_id": "abc-123",
        "correlation_id": "order-7",
        "domain": "payments",
        "type": "DebitAccountResponse",
        "outcome": "CANCELED",
        "completed_at": "2026-01-01T00:00:00.000000Z",
        "data": None,
        "error": {"code": "OPERATOR_CANCELED", "message": "duplicate request", "class": "PERMANENT"},
        "reason": "duplicate request",
        "error_code": "OPERATOR_CANCELED",
        "error_message": "duplicate request",
    }


def test_a_template_and_the_keys_of_a_row_share_nothing():
    template = rules.reply_template("why", "then")
    keys = rules.reply_keys("d", "c", "T", None)
    assert template.keys().isdisjoint(keys)
    assert rules.reply(COMMAND, "why", "then").keys() == template.keys() | keys.keys()


def test_a_preview_shows_the_reply_the_sender_will_read():
    around = rules.Surroundings(None, {"amount": 1}, {"commands": 2}, "OrderProcess")
    preview = rules.preview(COMMAND, around, YES)
    sections = {section.title: "\n".join(section.lines) for section in preview.sections}
    assert json.loads(sections["Reply to payments__replies"]).keys() == rules.reply(COMMAND, "r", "t").keys()
    assert sections["Batch b1"] == "commands: 2"
    assert json.loads(sections["Payload"]) == {"amount": 1}
    assert any("OrderProcess" in warning for warning in preview.warnings)
    unknown = rules.preview(COMMAND, rules.Surroundings(None), YES)
    texts = {section.title: section.lines for section in unknown.sections}
    assert "not known" in texts["Payload"][0]
    assert "not known" in texts["Batch b1"][0]


def test_what_cannot_be_cancelled_has_no_impact():
    judged = rules.verdict(COMMAND.status, COMMAND.reply_queue, rules.QUEUE_MISSING)
    preview = rules.preview(COMMAND, rules.Surroundings(rules.QUEUE_MISSING), judged)
    assert preview.verdict.code is VerdictCode.REPLY_QUEUE_MISSING
    assert preview.effects == ()
    assert preview.warnings == ()


# Recovery


def an_order(version="3"):
    return Order(
        "payments/abc",
        "our-key",
        rules.missing("payments/abc").__class__("payments/abc", WAITING, version, rules.verdict(WAITING, "", None)),
    )


@pytest.mark.parametrize(
    ("found", "state", "ours"),
    [
        (answers.Found("CANCELED", "4", cancels=(answers.Cancel("our-key", "a"),)), ItemState.CANCELLED, True),
        (answers.Found("CANCELED", "4", cancels=(answers.Cancel("other", "a"),)), ItemState.ALREADY_CANCELLED, False),
        (answers.Found("CANCELED", "4"), ItemState.ALREADY_CANCELLED, None),
        # a late worker has changed it after we had cancelled it: it was ours all the same
        (answers.Found("COMPLETED", "5", cancels=(answers.Cancel("our-key", "a"),)), ItemState.CANCELLED, True),
        (answers.Found("COMPLETED", "5"), ItemState.REFUSED, None),
        (answers.Found(WAITING, "4"), ItemState.SKIPPED, None),
        (answers.Found(WAITING, "3", "r", rules.QUEUE_MISSING), ItemState.REFUSED, None),
        (None, ItemState.REFUSED, None),
    ],
)
def test_what_was_left_alone_says_why(found, state, ours):
    answer = answers.passed_over(an_order(), found)
    assert (answer.state, answer.ours) == (state, ours)
    if state in (ItemState.REFUSED, ItemState.SKIPPED):
        assert answer.code
        assert answer.message


@pytest.mark.parametrize(
    ("found", "verified"),
    [
        (answers.Found("CANCELED", "4", cancels=(answers.Cancel("our-key", "a"),)), Verified.YES),
        (answers.Found("COMPLETED", "4", cancels=(answers.Cancel("our-key", "a"),)), Verified.CONTRADICTED),
        (answers.Found("CANCELED", "4", cancels=(answers.Cancel("our-key", "a"),) * 2), Verified.CONTRADICTED),
        (
            answers.Found("CANCELED", "4", cancels=(answers.Cancel("our-key", "a"), answers.Cancel(None, "b"))),
            Verified.CONTRADICTED,
        ),
        (answers.Found("CANCELED", "4"), Verified.CONTRADICTED),
        (None, Verified.CONTRADICTED),
    ],
)
def test_verification(found, verified):
    result = answers.verification(an_order(), found)
    assert result.verified is verified
    assert bool(result.note) is (verified is Verified.CONTRADICTED)


# The embedded file


@pytest.fixture
async def world(tmp_path):
    async with command_bus(tmp_path / "commands.db") as opened:
        yield opened


def explained(world: CommandBus, sql, values):
    connection = sqlite3.connect(world.path)
    try:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        connection.close()


def page_plan(world, wanted, sort, *, cursor=None, backward=False):
    """How SQLite reads one page, as the adapter asks for it."""
    query = PageQuery(wanted, sort, cursor=cursor, backward=backward)
    page = embedded_read.PAGES.page(query, embedded_read.PAGES.matching(wanted, None))
    return explained(world, page.sql, page.values)


@pytest.mark.parametrize("cursor", [None, Cursor("M", "payments/x")])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (DESCRIPTION.default_filter, "updated"),
        (DESCRIPTION.default_filter, "type"),
        (DESCRIPTION.default_filter, "error_code"),
        (DESCRIPTION.default_filter, "id"),
        (Filter(), "updated"),
        (Filter(), "id"),
        (parse("status:COMPLETED"), "updated"),
    ],
    ids=str,
)
async def test_pages_are_read_from_an_index_in_its_order(world, wanted, field, cursor, backward):
    await world.troubled("abc")
    plan = page_plan(world, wanted, Sort(field, descending=True), cursor=cursor, backward=backward)
    assert "INDEX" in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_ids_are_looked_up_and_statuses_never_walked(world):
    await world.troubled("abc")
    for name, values in (
        ("survey", ("[]",)),
        ("cancels", ("[]",)),
        ("cancel", {"orders": "[]", "now": ""}),
        ("cancel_replies", {"hits": "[]", "now": "", "template": "{}", "suffix": ""}),
        ("cancel_audit", {"hits": "[]", "now": "", "template": "{}"}),
    ):
        plan = explained(world, embedded_write.SQL[name], values)
        looked_up = [
            step for step in plan if step.startswith("SEARCH") and ("command" in step or " c " in step or " a " in step)
        ]
        assert looked_up, plan
        assert all("(id=?)" in step for step in looked_up), plan
        assert not any(step.startswith("SCAN") and "VIRTUAL TABLE" not in step for step in plan), plan


async def test_counts_of_statuses_are_kept_and_exact(world):
    items = [await world.troubled(f"c{number}") for number in range(5)]
    await world.pending("p1")
    await cancel(world.store, items[:2])
    for text, number in ((f"status:{WAITING}", 3), ("status:CANCELED,PENDING", 3), ("!status:CANCELED", 4), ("", 6)):
        assert await world.store.count(parse(text)) == Count(number)
        [row] = world.rows(
            f"SELECT count(*) AS n FROM command WHERE {embedded_read.PAGES.matching(parse(text), None).sql}".replace(
                "c.", ""
            ),
            *embedded_read.PAGES.matching(parse(text), None).values,
        )
        assert row["n"] == number


async def test_a_count_beyond_the_limit_says_that_it_is_one(world, monkeypatch):
    monkeypatch.setattr("tui_app.database.pages.COUNTED", 3)
    for number in range(4):
        await world.troubled(f"c{number}")
    assert await world.store.count(parse("attempts:1")) == Count(3, exact=False)
    assert await world.store.count(parse("id:payments/c1")) == Count(1)


async def test_each_change_is_another_version(world):
    versions = []

    async def look(item):
        versions.append((await world.store.survey([item]))[0].version)

    item = await world.pending("abc")
    await look(item)
    for step in (world.bus.receive, lambda i: world.bus.move_to_troubleshooting(i, demo_failure()), world.bus.retry):
        await step(item)
        await look(item)
    assert len(set(versions)) == 4


def demo_failure():
    from support.embedded_bus import FAILURE

    return FAILURE


async def test_a_foreign_version_matches_nothing(world):
    item = await world.troubled("abc")
    [order] = await orders(world.store, [item])
    for version in ("", "abc", "-1", "9" * 40, "²"):
        seen = order.seen.__class__(item, WAITING, version, order.seen.verdict)
        [answer] = await world.store.execute([Order(item, "k", seen)], _errand())
        assert answer.state is ItemState.SKIPPED
    assert world.status(item) == WAITING


def _errand():
    from support.orders import errand

    return errand()


async def test_commands_are_not_reinstated(world):
    item = await world.troubled("abc")
    errand = _errand().__class__("run-1", 0, "reinstate", "jane@example.com", "why not", _errand().options)
    with pytest.raises(Conflict):
        await world.store.execute(await orders(world.store, [item]), errand)
    assert world.status(item) == WAITING


async def test_a_chunk_with_a_vanished_queue_goes_on(world):
    good, bad, other = [await world.troubled(name, queue) for name, queue in (("a", "q1"), ("b", "q2"), ("c", "q1"))]
    chunk = await orders(world.store, [good, bad, other])
    await world.bus.drop_queue("q2")
    told = await world.store.execute(chunk, _errand())
    assert [answer.state for answer in told] == [ItemState.CANCELLED, ItemState.REFUSED, ItemState.CANCELLED]
    assert told[1].code == VerdictCode.REPLY_QUEUE_MISSING
    assert "q2" in told[1].message
    assert [world.status(item) for item in (good, bad, other)] == ["CANCELED", WAITING, "CANCELED"]
    assert len(world.replies("q1")) == 2
    assert world.replies("q2") == []


async def test_replies_are_what_the_rules_say(world):
    item = await world.troubled("abc", correlation_id=None)
    await cancel(world.store, [item])
    [reply] = world.replies()
    [row] = world.rows("SELECT updated_at FROM command")
    facts = rules.Command("payments", "abc", "DebitAccount", WAITING, 1, 3, "payments__replies")
    assert reply == rules.reply(facts, "caused by a faulty deploy", row["updated_at"])


async def test_a_write_that_breaks_in_the_middle_leaves_nothing(world):
    item = await world.troubled("abc")
    connection = sqlite3.connect(world.path)
    connection.execute("CREATE TRIGGER broken BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.commit()
    connection.close()
    before = world.dump()
    with pytest.raises(RolledBack, match="no"):
        await cancel(world.store, [item])
    assert world.dump() == before


async def test_a_command_is_sent_once(world):
    await world.pending("abc")
    before = world.dump()
    with pytest.raises(Conflict):
        await world.pending("abc")
    with pytest.raises(MalformedId):
        await world.bus.send(Message("payments", "", "DebitAccount"))
    assert world.dump() == before


async def test_payload_batch_and_process_are_found(world):
    await world.bus.open_batch("payments", "b1", total=2)
    await world.bus.register_process("order-7", "OrderProcess")
    item = await world.troubled("abc", payload={"amount": "[/]"}, batch_id="b1", correlation_id="order-7")
    await world.pending("abd", batch_id="b1")
    preview = await world.store.preview(item)
    texts = {section.title: section.lines for section in preview.sections}
    assert '  "amount": "[/]"' in texts["Payload"]
    assert texts["Batch b1"][:2] == ("commands: 2", "completed: 0")
    assert "in troubleshooting: 1" in texts["Batch b1"]
    assert [effect.code for effect in preview.effects] == ["REPLY", "BATCH", "COMPENSATION", "IRREVERSIBLE"]


# Demo data


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "commands.db"
    assert demo.seed(path, 100) == 100
    return path


@pytest.fixture
async def shown(demo_file):
    system = EmbeddedCommands(demo_file)
    yield system
    await system.close()


async def test_demo_shows_every_status_and_every_verdict(shown):
    items = (await shown.page(PageQuery(Filter(), Sort("id"), limit=500))).items
    assert len(items) == 100
    assert {item.status for item in items} == set(DESCRIPTION.statuses)
    assert {item.verdict.code for item in items} == {
        None,
        VerdictCode.NOT_IN_TROUBLESHOOTING,
        VerdictCode.REPLY_QUEUE_MISSING,
        VerdictCode.ALREADY_CANCELLED,
        VerdictCode.TERMINAL,
    }
    seen = await shown.survey([item.id for item in items])
    # A bus that refuses late workers brings nothing back that was cancelled.
    assert {effect.code for one in seen for effect in one.effects} == set(DESCRIPTION.effects) - {"SECOND_REPLY"}


async def test_the_first_twenty_of_the_demo_can_be_cancelled(shown):
    page = await shown.page(PageQuery(DESCRIPTION.default_filter, DESCRIPTION.default_sort, limit=20))
    assert all(item.verdict.cancellable for item in page.items)
    assert len({item.fields["domain"] for item in page.items}) > 1
    assert len({item.fields["error_code"] for item in page.items}) > 2
    told = await cancel(shown, [item.id for item in page.items])
    assert {answer.state for answer in told} == {ItemState.CANCELLED}


async def test_the_demo_is_as_awkward_as_life(shown):
    items = (await shown.page(PageQuery(Filter(), Sort("id"), limit=500))).items
    errors = "\n".join(str(item.fields["error"]) for item in items)
    for text in ("[@click=app.quit]x[/]", "a[/]b", "\x1b[31m", "\x1b]52;", "\u202e", "支払い", "\u200b"):
        assert text in errors
    assert any(len(str(item.fields["error"])) >= 4_096 for item in items)
    assert any("[/]" in item.id for item in items)
    for item in items:
        assert shown.check_id(item.id) == item.id
        await shown.preview(item.id)
        assert await shown.trail(item.id)


def test_demo_rows_are_the_same_every_time_and_stay(tmp_path):
    first, second = tmp_path / "1.db", tmp_path / "2.db"
    assert demo.seed(first, 150) == 150
    assert demo.seed(second, 100) == 100

    def rows(path, query="SELECT * FROM command ORDER BY id"):
        connection = sqlite3.connect(path)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    connection = sqlite3.connect(second)
    connection.execute("UPDATE command SET status = 'CANCELED' WHERE rowid = 1")
    connection.commit()
    connection.close()
    changed = rows(second)
    # again: nothing; more rows: only those that were missing, and what was changed stays
    assert demo.seed(second, 100) == 0
    assert rows(second) == changed
    assert demo.seed(second, 150) == 50
    assert len(set(rows(second)) ^ set(rows(first))) == 2
    assert rows(second, "SELECT count(*) FROM audit") == rows(first, "SELECT count(*) FROM audit")
    counted = "SELECT status, count(*) FROM command GROUP BY status ORDER BY status"
    assert rows(second, counted) == rows(second, "SELECT status, n FROM tally WHERE n > 0 ORDER BY status")


def test_demo_batches_count_what_is_in_them(demo_file):
    connection = sqlite3.connect(demo_file)
    wrong = connection.execute(
        "SELECT batch_id FROM batch AS b WHERE total_count <>"
        " (SELECT count(*) FROM command AS c WHERE c.domain = b.domain AND c.batch_id = b.batch_id)"
        " OR total_count = 0"
    ).fetchall()
    connection.close()
    assert wrong == []


async def test_the_demo_is_a_bus_to_work_on(tmp_path):
    demo.seed(tmp_path / "commands.db", 60)
    system = EmbeddedCommands(tmp_path / "commands.db")
    bus = EmbeddedBus(system.file, system.clock)
    pending = (await system.page(PageQuery(parse("status:PENDING"), Sort("id")))).items[0]
    assert await bus.receive(pending.id)
    assert await bus.complete(pending.id)
    assert (await system.item(pending.id)).status == "COMPLETED"
    await system.close()


def test_answers_hold_the_systems_word_only_as_a_status():
    told = answers.cancelled(an_order())
    assert told == Answer(ItemState.CANCELLED, before=WAITING, after="CANCELED")


def test_an_unknown_field_of_a_filter_is_not_sql():
    assert embedded_read.PAGES.matching(Filter((Term("id", Op.ANY, ("' OR 1=1 --",)),)), None).values == (
        "' OR 1=1 --",
    )
