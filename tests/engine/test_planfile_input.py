"""A plan file comes from outside: even one whose hash is right is looked at before it is kept."""

import json

import pytest

from support.world import WHO, commands, fill, make_world
from tui_app.domain.errors import Conflict, InvalidReason, MalformedId, PlanChanged
from tui_app.domain.items import Seen
from tui_app.domain.plan import PlanHasher, PlanItem, head_from
from tui_app.domain.verdict import YES, Verdict, VerdictCode
from tui_app.engine import planfile


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
        verdict = YES if line["code"] is None else Verdict.no(VerdictCode(line["code"]), line["reason"])
        seen = Seen(line["id"], line["status"], line["version"], verdict)
        hasher.add(PlanItem(line["position"], line["system"], seen))
    lines[-1]["hash"] = hasher.finish(lines[-1]["totals"])
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def load(world, document):
    return await planfile.load(world.store, document, None, WHO, world.systems)


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


def wrong(path, value):
    def change(lines):
        *steps, last = path
        target = lines
        for step in steps:
            target = target[step]
        target[last] = value

    return change


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
