"""The places of runs and of the ledger: who did what, when and why, found again after a year as after a minute."""

import json
import sqlite3
import stat
from datetime import UTC, datetime, timedelta

import pytest

from support.backend import Service
from support.canned import HASH, Canned, item, plan, run
from support.console import Operator, open_canned, open_console, request
from support.world import WHO, commands
from tui_app.client.ledger_text import verdict
from tui_app.contract.ledger import LedgerLine
from tui_app.contract.runs import RunRequest
from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import MalformedFilter
from tui_app.domain.plan import PlanState
from tui_app.tui.ledger_lines import WIDE, Wanted, wanted
from tui_app.tui.screens.entry import LedgerEntry
from tui_app.tui.screens.ledger import LedgerScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.screens.runs import RunsScreen

HOSTILE = ["[@click=app.quit]x[/]", "a[/]b", "back\u202ewards", "\x1b]52;c;eA==\x07"]


@pytest.fixture
async def operator(backend: Service):
    async with open_console(backend) as opened:
        yield opened


async def cancelled(operator: Operator, *ids: str, reason: str = "Bad deploy") -> str:
    client = operator.service.client
    made = await client.plan(request(ids))
    body = RunRequest(hash=made.hash, reason=reason, expect_count=made.counts.items)
    begun = await client.run(made.id, body, f"key-{made.id}")
    await operator.meanwhile(operator.service.work(begun.id))
    return begun.id


async def at(operator: Operator, place: str, screen: type) -> None:
    await operator.press(place)
    await operator.on(screen)


async def test_an_empty_ledger_says_what_will_stand_there(operator):
    await at(operator, "5", LedgerScreen)
    await operator.sees("The ledger is empty: nothing was planned")


async def test_who_did_what_when_and_why(operator):
    run_id = await cancelled(operator, "payments/c000001", "payments/none")
    await at(operator, "5", LedgerScreen)
    await operator.sees(
        "2026-01-02 03:04:05 jane@example.com finished",
        f"jane@example.com cancelled {run_id} payments/c000001 Bad deploy",
        "skipped NOT_FOUND",
        "confirmed",
        "planned",
    )


async def test_at_eighty_columns_the_five_that_matter_stay(backend):
    async with open_console(backend, (80, 24)) as operator:
        await cancelled(operator, "payments/c000001")
        await at(operator, "5", LedgerScreen)
        await operator.sees(
            "time operator event item reason",
            "01-02 03:04:05 jane@exampl… cancelled payments/c000001 Bad deploy",
        )


@pytest.mark.parametrize("number", [1, 400])
@pytest.mark.parametrize("size", [(80, 24), (99, 24), (100, 30), (101, 30), (120, 40)])
async def test_headings_of_the_ledger_stand_over_their_values(size, number):
    canned = Canned()
    facts = {"operator": "OPERATOR", "event": "EVENT", "run": "RUN", "item": "ITEM", "reason": "REASON"}
    canned.ledger(*(line(seq).model_copy(update=facts) for seq in range(number, 0, -1)))
    async with open_canned(canned, size) as operator:
        await at(operator, "5", LedgerScreen)
        await operator.sees("OPERATOR", "REASON")
        lines = operator.text.split("\n")
        heading = next(place for place, text in enumerate(lines) if "operator" in text and "reason" in text)
        names = [name for name in facts if name in lines[heading].split()]
        assert names == ["operator", "event", *(["run"] if size[0] > WIDE else []), "item", "reason"]
        under = lines[heading + 1]
        assert [lines[heading].index(f" {name}") for name in names] == [under.index(f" {facts[n]}") for n in names]


async def test_it_is_filtered_by_exact_values_and_by_nothing_else(operator):
    await cancelled(operator, "payments/c000001")
    await cancelled(operator, "payments/c000002")
    await at(operator, "5", LedgerScreen)
    await operator.sees("payments/c000001", "payments/c000002")
    await operator.press("slash")
    await operator.type("item:payments/c000002")
    await operator.press("enter")
    await operator.until(lambda: "payments/c000001" not in operator.text)
    await operator.sees("payments/c000002")
    await operator.press("slash")
    await operator.type("colour:red")
    await operator.press("enter")
    await operator.sees("there is no field 'colour'", "Fields here: event, item, operator, run")
    await operator.press("escape")
    await operator.sees("item:payments/c000002")
    assert operator.app.screen.rows.has_focus
    await operator.press("slash", "backspace", "enter")
    await operator.sees("payments/c000001")


async def test_a_filter_that_the_service_refuses_keeps_its_field(operator):
    await cancelled(operator, "payments/c000001")
    await at(operator, "5", LedgerScreen)
    await operator.sees("payments/c000001")
    await operator.press("slash")
    await operator.type("run:nosuch")
    await operator.press("enter")
    await operator.sees("There is no run nosuch")
    assert operator.app.focused is operator.app.screen.filter.field
    await operator.press("q")
    assert operator.app.screen.filter.field.value == "run:nosuchq"
    await operator.press("escape")
    await operator.sees("payments/c000001")
    assert operator.app.screen.rows.has_focus


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", Wanted()),
        ("operator:jane@example.com", Wanted(operator="jane@example.com")),
        ('event:chunk item:"payments/a b"', Wanted(event="chunk", item="payments/a b")),
        ("event:already_cancelled", Wanted(event="already_cancelled")),
    ],
)
def test_a_filter_of_the_ledger_means(text, means):
    assert wanted(text) == means


@pytest.mark.parametrize(
    "text", ["free", "!event:chunk", "event>a", "event:a,b", "event:a event:b", "seq:1", 'event:"a']
)
def test_what_the_ledger_cannot_be_filtered_by_is_refused(text):
    with pytest.raises(MalformedFilter):
        wanted(text)


async def test_verifying_gives_the_head_or_the_first_bad_entry(operator):
    await cancelled(operator, "payments/c000001")
    await at(operator, "5", LedgerScreen)
    await operator.press("V")
    check = await operator.service.client.ledger.check()
    await operator.sees(
        f"✓ OK: ledger verified ({check.entries} entries, 1 item). Head {check.head}, no anchor compared"
    )
    journal = sqlite3.connect(operator.service.world.folder / "journal.db")
    with journal:
        for (trigger,) in journal.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            journal.execute(f"DROP TRIGGER {trigger}")
        changed = journal.execute(
            "UPDATE ledger SET body = replace(body, 'Bad deploy', 'Good deal') WHERE seq = 2"
        ).rowcount
    journal.close()
    assert changed == 1
    await operator.press("V")
    await operator.sees("✗ LEDGER BROKEN: entry 2", "Do not change the file")


async def test_verifying_an_empty_ledger_is_no_all_clear(operator):
    await at(operator, "5", LedgerScreen)
    await operator.sees("The ledger is empty")
    await operator.press("V")
    await operator.sees("! NOTHING TO VERIFY: the ledger has no entry", "it was emptied or replaced")
    assert "✓" not in operator.text


async def test_enter_shows_one_entry_whole(operator):
    await cancelled(operator, "payments/c000001")
    await at(operator, "5", LedgerScreen)
    await operator.sees("confirmed")
    [line] = (await operator.service.client.ledger.page(event="confirmed")).lines
    await operator.press("slash")
    await operator.type("event:confirmed")
    await operator.press("enter")
    await operator.until(lambda: operator.app.screen.rows.count == 1)
    await operator.press("enter")
    await operator.on(LedgerEntry)
    await operator.sees(line.hash)
    await operator.press("escape")
    await operator.on(LedgerScreen)


async def test_the_export_ends_in_the_head(operator, tmp_path):
    await cancelled(operator, "payments/c000001")
    await at(operator, "5", LedgerScreen)
    await operator.sees("payments/c000001")
    await operator.press("e")
    await operator.sees("Write a report")
    path = tmp_path / "ledger.jsonl"
    operator.app.screen.query_one("Input").value = str(path)
    await operator.press("enter")
    await operator.sees("Written to")
    head, *lines, foot = [json.loads(line) for line in path.read_text().splitlines()]
    assert head["schema"] == "quash.ledger.v1"
    check = await operator.service.client.ledger.check()
    assert foot == {"head": check.head, "holds": True, "ledger": verdict(check), "anchors": 0}
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    assert "payments/c000001" in {line["item"] for line in lines}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def line(seq: int, **facts) -> LedgerLine:
    known = {
        "seq": seq,
        "hash": HASH,
        "at": "2026-01-02T03:04:05Z",
        "event": "chunk",
        "operator": "jane",
        "item": f"i{seq}",
    }
    return LedgerLine(**{**known, **facts})


async def test_a_long_ledger_is_paged_both_ways_and_not_held():
    canned = Canned()
    canned.ledger(*(line(seq) for seq in range(5000, 0, -1)))
    async with open_canned(canned) as operator:
        await at(operator, "5", LedgerScreen)
        await operator.sees("i5000")
        assert canned.paths("GET").count("/v1/ledger") <= 2
        await operator.press("G")
        await operator.sees("i1 ")
        assert operator.app.screen.rows.count == 5000
        await operator.press("pageup", "pageup")
        await operator.until(lambda: "…" not in operator.text.split("\n")[10])
        await operator.press("g")
        await operator.sees("i5000")


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_lines_are_shown_and_inert(hostile):
    canned = Canned()
    canned.ledger(line(1, event=hostile, operator=hostile, item=hostile, reason=hostile, details={hostile: hostile}))
    async with open_canned(canned) as operator:
        await at(operator, "5", LedgerScreen)
        shown = hostile.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
        await operator.sees(shown)
        await operator.press("enter")
        await operator.on(LedgerEntry)
        await operator.sees(shown)
        assert not {"\x1b", "\x07", "\u202e"} & set(operator.text)


async def test_what_was_refused_is_told_though_nobody_gave_a_reason():
    canned = Canned()
    canned.ledger(line(1, event="refused", code="FORBIDDEN", item=None, details={"what": "Cancel a case"}))
    async with open_canned(canned) as operator:
        await at(operator, "5", LedgerScreen)
        await operator.sees("refused FORBIDDEN", "Cancel a case")


# Runs


async def test_runs_and_plans_without_one_stand_newest_first(operator):
    await cancelled(operator, "payments/c000001", reason="First reason")
    await operator.service.client.plan(request(["payments/c000002"], reason="Second reason"))
    await operator.sees("1 run · 1 plan without one", "not applied", "✓ finished", "1 cancelled", "First reason")
    assert operator.text.index("Second reason") < operator.text.index("First reason")


async def test_enter_opens_the_run_or_the_review(operator):
    await cancelled(operator, "payments/c000001")
    await operator.service.client.plan(request(["payments/c000002"]))
    await operator.sees("not applied")
    await operator.press("g", "enter")
    await operator.on(ReviewScreen)
    await operator.sees("1 in the plan, 1 will be cancelled")
    await operator.press("escape")
    await operator.on(RunsScreen)
    await operator.press("j", "enter")
    await operator.on(RunScreen)


async def test_runs_are_filtered_while_a_word_is_typed(operator):
    await cancelled(operator, "payments/c000001", reason="First reason")
    await cancelled(operator, "payments/c000002", reason="Second reason")
    await operator.sees("First reason", "Second reason")
    await operator.press("slash")
    await operator.type("second")
    await operator.until(lambda: "First reason" not in operator.text)
    await operator.press("escape")
    await operator.sees("First reason", "Second reason")
    await operator.press("slash")
    await operator.type("nothing like it")
    await operator.press("enter")
    await operator.sees("Nothing here holds nothing like it")


async def test_a_run_is_resumed_from_the_list(operator):
    client = operator.service.client
    made = await client.plan(request(["payments/c000001"]))
    await client.run(made.id, RunRequest(hash=made.hash, reason="Bad deploy", expect_count=1), "key")
    await operator.sees("! interrupted")
    starts = operator.service.world.launcher.starts
    await operator.press("space")
    await operator.until(lambda: operator.service.world.launcher.starts > starts)


async def test_a_plan_in_the_making_is_found_again():
    canned = Canned()
    making = plan(
        0, state="building", hash=None, phrase=None, read=1200, expected=12000, impact=[], reason="Bad deploy"
    )
    canned.plan(making)
    async with open_canned(canned) as operator:
        await operator.sees("being planned", "1,200 of 12,000 read")
        await operator.press("enter")
        await operator.on(ReviewScreen)
        await operator.sees("A plan is being made: 1,200 of 12,000 read")
        await operator.press("escape")
        await operator.on(RunsScreen)


async def test_a_plan_that_nobody_makes_any_more_says_so_until_it_is_resumed(operator):
    world, client = operator.service.world, operator.service.client
    left = await world.planner.start([commands("payments/c000000")], Verb.CANCEL, "Bad deploy", None, WHO)
    await world.planner.close()
    assert (await world.store.plans.get(left.id)).state is PlanState.BUILDING
    world.clock.forward(60)
    [told] = await client.plans.list()
    assert told.interrupted
    await operator.sees("! interrupted", "space resumes it; 0 read")
    await operator.press("enter")
    await operator.on(ReviewScreen)
    await operator.sees("nobody goes on with it", f"quash plans resume {left.id}")
    assert (await world.store.plans.get(left.id)).state is PlanState.BUILDING
    await operator.press("escape")
    await operator.on(RunsScreen)
    await operator.press("space")
    await operator.sees("not applied", "1 in the plan")


async def test_a_plan_in_the_making_says_what_keeps_it_waiting():
    until = "2026-01-03T14:03:20Z"
    waiting = {"system": "cases", "since": "2026-01-03T14:02:20Z", "until": until}
    canned = Canned()
    making = {"state": "building", "hash": None, "phrase": None, "read": 12, "expected": 300, "impact": []}
    canned.plan(plan(0, waiting=waiting, **making))
    clock = [f"{moments.read(waiting[name]).astimezone():%H:%M:%S}" for name in ("until", "since")]
    told = f"waiting for the read limit of cases until {clock[0]}, since {clock[1]}, 12 of 300 read"
    async with open_canned(canned) as operator:
        await operator.sees("being planned", "waiting for the read limit of cases")
        await operator.press("enter")
        await operator.on(ReviewScreen)
        await operator.sees(f"A plan is being made: {told}")


async def test_a_run_that_waits_for_its_system_says_so_in_the_list():
    canned = Canned()
    until = moments.stamp(datetime.now(UTC) + timedelta(days=3))
    canned.run(run(item(0), item(1, "planned"), gates={"commands": until}), item(0), item(1, "planned"))
    async with open_canned(canned) as operator:
        await operator.sees("1 cancelled · 1 left · waits 3 d")
        canned.run(run(item(0), item(1, "planned")), item(0), item(1, "planned"))
        await operator.until(lambda: "1 cancelled" in operator.text and "waits" not in operator.text)


async def test_the_cursor_begins_on_the_newest_run_and_not_on_a_plan_that_was_left():
    canned = Canned()
    canned.run(run(item(0), reason="First reason"), item(0))
    until = moments.stamp(datetime.now(UTC) + timedelta(minutes=30))
    left = plan(1, id="p9", verb="reinstate", created_at="2026-01-03T00:00:00Z", expires_at=until)
    lapsed = plan(1, id="p8", created_at="2026-01-03T00:00:01Z")
    making = plan(1, id="p7", created_at="2026-01-01T00:00:01Z", state="building", hash=None)
    canned.answers["GET", "/v1/plans"] = {"plans": [lapsed.model_dump(), left.model_dump(), making.model_dump()]}
    async with open_canned(canned) as operator:
        # A plan that was only looked at falls out with its time; one that is being made does not.
        await operator.sees("First reason", "not applied", "being planned", "1 run · 2 plans without one")
        assert operator.app.screen.rows.cursor == 1
        await operator.press("k", "enter")
        await operator.on(ReviewScreen)


async def test_a_number_goes_to_its_place_and_not_to_the_run_on_it():
    canned = Canned()
    canned.run(run(item(0), reason="First reason"), item(0))
    async with open_canned(canned) as operator:
        await operator.sees("First reason")
        await operator.press("enter")
        await operator.on(RunScreen)
        await operator.press("5")
        await operator.on(LedgerScreen)
        await operator.press("4")
        await operator.on(RunsScreen)


async def test_the_cursor_stays_on_its_run_when_others_come():
    canned = Canned()
    first = run(item(0), id="r1111111111111111", reason="First reason")
    canned.run(first, item(0))
    async with open_canned(canned) as operator:
        await operator.sees("First reason")
        newer = run(item(0), id="r2222222222222222", reason="Second reason", created_at="2026-01-03T00:00:00Z")
        canned.answers["GET", "/v1/runs"] = {"runs": [newer.model_dump(), first.model_dump()]}
        await operator.sees("Second reason")
        assert operator.app.screen.rows.cursor == 1
