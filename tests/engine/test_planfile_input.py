"""A plan file comes from outside: even one whose hash is right is looked at before it is kept."""

import json
from dataclasses import replace

import pytest

from support.world import WHO, commands, fill, make_world
from tui_app.cli.telling import plan_lines
from tui_app.domain.errors import (
    CannotConnect,
    Conflict,
    InvalidReason,
    MalformedId,
    PlanChanged,
    TargetChanged,
    UsageProblem,
)
from tui_app.domain.items import Seen
from tui_app.domain.plan import PlanHasher, PlanItem, PlanState, head_from
from tui_app.domain.records import LedgerQuery
from tui_app.domain.verdict import Verdict
from tui_app.engine import planfile
from tui_app.service import words
from tui_app.service.backend import Facts
from tui_app.service.words import plan_model


@pytest.fixture
async def world(tmp_path):
    made = make_world(tmp_path)
    fill(tmp_path / "commands.db", 5)
    yield made
    await made.close()


@pytest.fixture
async def lines(world):
    plan = await world.plan(commands("payments/c000001", "payments/c000002", "payments/none"))
    document = b"".join([line async for line in planfile.write(world.store, plan.id)])
    return [json.loads(line) for line in document.splitlines()]


def sealed(lines):
    """The file, with the hash that its maker would compute for what stands in it, as far as one can be computed."""
    hasher = PlanHasher(head_from(lines[0]["head"]))
    for line in lines[1:-1]:
        verdict = Verdict.frozen(line["code"], line["reason"])
        seen = Seen(line["id"], line["status"], line["version"], verdict, due=line["due"])
        hasher.add(PlanItem(line["position"], line["system"], seen))
    lines[-1]["hash"] = hasher.finish(lines[-1]["totals"])
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def load(world, document):
    """The plan of a file that was reviewed, once its items were read."""
    foot = document.splitlines()[-1]
    reviewed = json.loads(foot)["hash"] if b'"hash": "' in foot else None
    plan = await planfile.load(world.store, document, reviewed, WHO, world.systems, world.clock.now())
    await world.planner.bring(plan, WHO)
    return await world.made(plan.id)


def renamed(lines):
    lines[0]["head"]["id"] = "p-another"


async def test_a_file_that_is_right_is_kept_under_its_hash(world, lines):
    renamed(lines)
    document = sealed(lines)
    assert (await load(world, document)).hash == lines[-1]["hash"]


@pytest.mark.parametrize(("seconds", "kept"), [(7200, True), ("7200", False), (True, False), (None, False)])
async def test_how_long_it_can_be_undone_is_a_number_of_seconds(world, lines, seconds, kept):
    renamed(lines)
    lines[-1]["totals"]["undo_seconds"] = seconds
    if kept:
        assert (await load(world, sealed(lines))).totals["undo_seconds"] == seconds
    else:
        with pytest.raises(PlanChanged):
            await load(world, sealed(lines))


def wrong(path, value):
    def change(lines):
        *steps, last = path
        target = lines
        for step in steps:
            target = target[step]
        target[last] = value

    return change


LIES = {
    "no impact": (wrong((-1, "totals", "impact"), []), {}),
    "a harmless impact": (wrong((-1, "totals", "impact"), [["NOTHING", "nobody", 1]]), {}),
    "fewer replies": (wrong((-1, "totals", "impact"), [["REPLY", "payments__replies", 1]]), {}),
    "an undo that there is not": (wrong((-1, "totals", "undo_seconds"), 86400), {"moved": False}),
}


def told(world, plan):
    facts = Facts(profile="local", environment="local", host="ops1", store="SQLite")
    return plan_model(plan, world.systems.values(), facts)


@pytest.mark.parametrize("believing", [False, True])
@pytest.mark.parametrize(("lie", "more"), LIES.values(), ids=LIES)
async def test_what_a_file_says_of_its_impact_is_read_anew(world, lines, lie, more, believing, monkeypatch):
    if believing:
        # The deliberately broken variant: it tells what stands in the file.
        monkeypatch.setattr(words, "_as_read", lambda plan: plan.totals)
    honest = told(world, await world.store.plans.get(lines[0]["head"]["id"]))
    renamed(lines)
    lie(lines)
    found = told(world, await load(world, sealed(lines)))
    same = (found.impact, found.undo_seconds) == (honest.impact, honest.undo_seconds)
    assert same is not believing
    assert found.impact_moved is (more.get("moved", True) and not believing)


@pytest.mark.parametrize("believing", [False, True])
async def test_what_a_file_says_of_its_maker_and_its_selection_is_told_as_its_claim(world, lines, believing):
    renamed(lines)
    lines[0]["head"] |= {
        "operator": "cto@example.com",
        "host": "safe",
        "selection": "commands: 1 harmless test command",
    }
    plan = await load(world, sealed(lines))
    # The deliberately broken variant takes a plan that was brought for one that was made here.
    found = told(world, replace(plan, brought=False) if believing else plan)
    assert ((found.operator, found.host) == (WHO.operator, WHO.host)) is not believing
    assert (found.claimed_by == "cto@example.com on safe") is not believing
    assert found.selection.startswith("a file that says: ") is not believing
    said = list(plan_lines(found))
    assert any("the file says that cto@example.com" in line for line in said) is not believing


async def test_a_plan_that_was_made_here_makes_no_claim(world):
    found = told(world, await world.plan(commands("payments/c000001")))
    assert (found.claimed_by, found.operator) == (None, WHO.operator)
    assert "a file" not in found.selection


async def test_a_file_that_lies_about_when_an_item_is_due_is_no_plan(world, lines):
    renamed(lines)
    lines[1]["due"] = "2026-03-01T00:00:00.000000Z"
    lines[-1]["totals"]["soonest"] = "2026-03-01T00:00:00.000000Z"
    brought = await load(world, sealed(lines))
    assert (brought.state, "is due" in brought.error) == (PlanState.FAILED, True)


async def test_a_file_that_names_its_reader_as_its_maker_still_needs_its_hash(world, lines):
    renamed(lines)
    assert (lines[0]["head"]["operator"], lines[0]["head"]["host"]) == (WHO.operator, WHO.host)
    with pytest.raises(PlanChanged, match="somebody else, or elsewhere"):
        await planfile.load(world.store, sealed(lines), None, WHO, world.systems, world.clock.now())


async def test_a_file_that_could_not_be_read_is_read_when_it_is_brought_again(world, lines, monkeypatch):
    renamed(lines)
    document = sealed(lines)
    with monkeypatch.context() as patch:
        patch.setattr(world.systems["commands"], "survey", away)
        assert (await load(world, document)).state is PlanState.FAILED
    assert await world.store.ledger.lines(LedgerQuery(event="planned")) != []
    brought = await load(world, document)
    assert (brought.state, brought.error) == (PlanState.READY, None)
    *_, planned = await world.store.ledger.lines(LedgerQuery(event="planned"))
    assert (planned.facts["made_by"], planned.facts["operator"]) == (WHO.operator, WHO.operator)
    assert planned.facts["at"] > planned.facts["made_at"]
    assert (await world.store.ledger.check()).problem is None


async def away(*_given):
    raise CannotConnect("the bus does not answer")


async def test_a_file_under_the_name_of_another_plan_is_not_that_plan(world, lines):
    lines[0]["head"]["selection"] = "commands: something else"
    with pytest.raises(Conflict, match="another plan"):
        await load(world, sealed(lines))


def twice(lines):
    lines.insert(2, {**lines[1], "position": 1})
    for position, line in enumerate(lines[1:-1]):
        line["position"] = position
    lines[-1]["totals"]["counts"].update(items=4, cancellable=3)
    lines[-1]["totals"]["by_system"]["commands"] = 3


CHANGES = {
    "an item twice": (twice, PlanChanged),
    "an id with escapes": (wrong((1, "id"), "payments/\x1b[2J"), MalformedId),
    "an id that is none": (wrong((1, "id"), "payments"), MalformedId),
    "half a character in an id": (wrong((1, "id"), "payments/\ud800"), PlanChanged),
    "half a character in a status": (wrong((1, "status"), "\ud800"), PlanChanged),
    "half a character in a reason": (wrong((3, "reason"), "\ud800"), PlanChanged),
    "half a character in the head": (wrong((0, "head", "operator"), "\ud800"), PlanChanged),
    "half a character in a target": (wrong((0, "head", "targets", "commands"), "\ud800"), PlanChanged),
    "an expiry without a zone": (wrong((0, "head", "expires_at"), "2030-01-01T00:00:00"), PlanChanged),
    "a name that is a list": (wrong((0, "head", "id"), ["p1"]), PlanChanged),
    "a proposed reason that is a list": (wrong((-1, "reason"), ["because"]), PlanChanged),
    "a proposed reason with escapes": (wrong((-1, "reason"), "be\x1b[2Jcause"), InvalidReason),
    "another number of blocked ones": (wrong((-1, "totals", "blocked", "NOT_FOUND"), 2), PlanChanged),
    "another number of a system": (wrong((-1, "totals", "by_system", "commands"), 1), PlanChanged),
    "an impact that is a text": (wrong((-1, "totals", "impact"), "everything"), PlanChanged),
    "an impact of another form": (wrong((-1, "totals", "impact"), [["REPLY", 1]]), PlanChanged),
    "an impact that counts in words": (wrong((-1, "totals", "impact"), [["REPLY", "q", "two"]]), PlanChanged),
    "totals beyond the known": (wrong((-1, "totals", "more"), 1), PlanChanged),
    "an impact on fewer than none": (wrong((-1, "totals", "impact"), [["REPLY", "q", -3]]), PlanChanged),
    "an impact of a million lines": (wrong((-1, "totals", "impact"), [["REPLY", "q", 1]] * 10_000), PlanChanged),
    "an undo that ended before": (wrong((-1, "totals", "undo_seconds"), -1), PlanChanged),
    "an undo for ever": (wrong((-1, "totals", "undo_seconds"), 10**30), PlanChanged),
    "a verb that the system does not have": (wrong((0, "head", "verb"), "reinstate"), UsageProblem),
    "a verb that is none": (wrong((0, "head", "verb"), "delete"), PlanChanged),
    "a cancellation that undoes a run": (wrong((0, "head", "undoes"), "r1"), PlanChanged),
    "a system that is not here": (wrong((0, "head", "targets", "letters"), "x"), UsageProblem),
    "another system of that name": (wrong((0, "head", "targets", "commands"), "elsewhere"), TargetChanged),
    "made in a thousand years": (
        lambda lines: lines[0]["head"].update(
            created_at="3026-01-01T00:00:00.000000Z", expires_at="3026-01-02T00:00:00.000000Z"
        ),
        PlanChanged,
    ),
    "made at no time": (wrong((0, "head", "created_at"), "soon"), PlanChanged),
    "a life of years": (wrong((0, "head", "expires_at"), "2030-01-01T00:00:00.000000Z"), PlanChanged),
    "a name with a path in it": (wrong((0, "head", "id"), "../p1"), PlanChanged),
    "a name of a thousand letters": (wrong((0, "head", "id"), "p" * 1000), PlanChanged),
    "a selection of a million letters": (wrong((0, "head", "selection"), "x" * 1_000_000), PlanChanged),
    "a reason of a million letters": (wrong((3, "reason"), "x" * 1_000_000), PlanChanged),
}


@pytest.mark.parametrize(("change", "error"), CHANGES.values(), ids=CHANGES)
async def test_a_file_with_a_right_hash_and_a_wrong_content_is_refused(world, lines, change, error):
    renamed(lines)
    change(lines)
    with pytest.raises(error):
        await load(world, sealed(lines))
    assert len(await world.store.plans.newest(10)) == 1


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (0, b"[]"),
        (0, b'{"schema": "quash.planfile.v1"}'),
        (0, b'{"schema": "quash.planfile.v1", "head": []}'),
        (1, b"{}"),
        (1, b'{"a": ' + b"[" * 200_000),
        (-1, b'{"totals": [], "hash": "x"}'),
        (-1, b'{"totals": null, "hash": null}'),
        (-1, b"\xff"),
    ],
)
async def test_a_line_of_another_kind_is_refused(world, lines, at, line):
    renamed(lines)
    document = sealed(lines).splitlines()
    document[at] = line
    with pytest.raises(PlanChanged):
        await load(world, b"\n".join(document))
