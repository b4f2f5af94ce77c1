"""Whose a cancellation was, told from audits that hold no key of ours: proven, contradicted, or not known.

Each audit is one that servers publish: ``status_changed`` entries with user and reason, flat entries of a status, a
server that keeps none, and one that is silent. What is said is held against the server's own log.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from support.case_server import JANE, Quirks, carried_out, case_server
from support.orders import errand, orders
from support.world import WHO, make_world
from tui_app.cli.exits import Exit, of_run
from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.items import Selection
from tui_app.domain.run import Intent, ItemState, RunState, Verified
from tui_app.service.words import run_model
from tui_app.systems.cases import evidence, inquiry
from tui_app.systems.cases.answers import Proof
from tui_app.systems.cases.waits import Waits

ONE = "CASE-1"
BOB = "bob@example.com"
NAMES = tuple(f"CASE-{n}" for n in range(1, 5))
WITHOUT_KEYS = ("status_changed", "flat")


async def confirmed(world, *names):
    return await world.confirm(await world.plan(Selection("cases", ids=names)))


def verified(items):
    return {one.verification.verified for one in items if one.verification is not None}


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
async def test_an_audit_without_keys_verifies_a_whole_run_and_its_undo(audit, tmp_path):
    async with case_server(*NAMES, quirks=Quirks(audit=audit)) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await confirmed(world, *NAMES)
        done = await world.worker().drive(run.id)
        assert done.states == {ItemState.CANCELLED: len(NAMES)}
        assert verified(await world.items(run.id)) == {Verified.YES}
        assert of_run(run_model(done, at_work=False)) is Exit.DONE
        way.server.clock.forward(3600)
        await world.steering.verify(run.id, WHO)
        assert verified(await world.items(run.id)) == {Verified.YES}, "and an hour later"
        undo = await world.confirm(await world.undo(run.id), key="k2")
        back = await world.worker().drive(undo.id)
        assert back.states == {ItemState.REINSTATED: len(NAMES)}
        assert verified(await world.items(undo.id)) == {Verified.YES}
        assert sorted(one for one, _ in way.server.returned) == sorted(NAMES)
        await world.close()


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
async def test_another_runner_claims_nothing_that_only_an_audit_without_keys_tells(audit, tmp_path):
    """The first runner ends after the effect and before the answer: another journal may use the same user."""
    async with case_server(*NAMES, quirks=Quirks(audit=audit), patience=0.2) as way:
        world = make_world(tmp_path, {"cases": way.open(limited=True)}, way.server.clock)
        run = await confirmed(world, *NAMES)
        begun = []

        def from_then_on(asked):
            begun.extend([asked] if asked.method == "POST" else [])
            return bool(begun)

        await way.raw.arm("reset after the effect", from_then_on)
        paused = await world.worker().drive(run.id)
        assert (paused.state, paused.states) == (RunState.PAUSED, {ItemState.SENDING: 1})
        await way.raw.mend()
        await world.steering.resume(run.id, WHO)
        done = await world.worker("w2", systems={"cases": way.open(limited=True)}).drive(run.id)
        assert done.states == {ItemState.CANCELLED: len(NAMES) - 1, ItemState.ALREADY_CANCELLED: 1}
        [silent] = [one for one in await world.items(run.id) if one.state is ItemState.ALREADY_CANCELLED]
        assert (silent.outcome.answer.ours, silent.outcome.answer.by) == (None, JANE)
        assert verified(await world.items(run.id)) == {Verified.YES}
        assert sorted(one for one, _ in way.server.effects) == sorted(NAMES), "each once"
        undo = await world.confirm(await world.undo(run.id), key="k2")
        assert (await world.worker().drive(undo.id)).states == {ItemState.REINSTATED: len(NAMES) - 1}
        assert silent.item.seen.id not in {one for one, _ in way.server.returned}
        await world.close()


@pytest.mark.parametrize("audit", ["events", *WITHOUT_KEYS])
async def test_of_two_journals_with_one_token_only_the_one_that_was_answered_owns_an_effect(audit, tmp_path):
    """Both send at once, and neither sees the other's intents; the answer of the first is lost for the second."""
    async with case_server(ONE, quirks=Quirks(audit=audit), patience=0.2) as way:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        first = make_world(tmp_path / "a", {"cases": way.open()}, way.server.clock)
        second = make_world(tmp_path / "b", {"cases": way.open()}, way.server.clock)
        ours, theirs = await confirmed(first, ONE), await confirmed(second, ONE)

        begun = []

        def from_then_on(asked):
            begun.extend([asked] if asked.method == "POST" else [])
            return bool(begun)

        await way.raw.arm("reset before the effect", from_then_on)
        assert (await second.worker().drive(theirs.id)).states == {ItemState.SENDING: 1}
        await way.raw.mend()
        done = await first.worker().drive(ours.id)
        assert done.states == {ItemState.CANCELLED: 1}
        await second.steering.resume(theirs.id, WHO)
        other = await second.worker("w2", systems={"cases": way.open()}).drive(theirs.id)
        assert other.states == {ItemState.ALREADY_CANCELLED: 1}
        [item] = await second.items(theirs.id)
        assert item.outcome.answer.ours is not True
        assert way.server.effects == [(ONE, (await first.items(ours.id))[0].key)]
        await first.close()
        await second.close()


@pytest.mark.parametrize("answered", [True, False])
async def test_what_was_under_way_is_ours_after_a_restart_only_if_its_answer_is_on_disk(answered, tmp_path):
    """The audit is silent. One case was taken on for us; the other was found being cancelled by somebody else."""
    async with case_server(ONE, quirks=Quirks(audit="silent", polls=10**6), patience=0.2) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run, case = await confirmed(world, ONE), way.server.cases[ONE]

        def cut(asked):
            if asked.method == "POST" and not answered and case.status != "processing":
                way.server.cancelled_by(ONE, BOB)
                case.status, case.polls = "processing", 10**6
                return True
            return False

        await way.raw.arm("reset before the effect", cut)

        async def wait(_seconds):
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await replace(world.worker(), wait=wait).drive(run.id)
        await way.raw.mend()
        assert (await world.items(run.id))[0].state is ItemState.ACCEPTED
        case.status = "cancelled"
        way.server.clock.forward(60)
        done = await world.worker("w2", systems={"cases": way.open()}).drive(run.id)
        [item] = await world.items(run.id)
        if answered:
            assert (done.states, item.outcome.answer.ours) == ({ItemState.CANCELLED: 1}, True)
        else:
            assert (done.states, item.outcome.answer.ours) == ({ItemState.ALREADY_CANCELLED: 1}, None)
        assert (await world.store.ledger.check()).problem is None
        await world.close()


async def found_later(way, *, intents=(), by=None, errand_=None):
    """What another process says of a cancellation that had its effect, or of one that somebody else made."""
    [order] = await orders(way.open(), [ONE])
    sent = replace(order, sent_at=moments.stamp(way.server.clock.now()))
    if by is None:
        await way.open().execute([order], errand())
        way.server.cases[ONE].status = "cancelled"
    else:
        way.server.cancelled_by(ONE, by)
    way.server.clock.forward(1)

    async def asked(item_id):
        assert item_id == ONE
        return intents

    why = replace(errand_ or errand(), intents=asked)
    system = way.open()
    [answer] = await system.reconcile([sent], why)
    [told] = await system.verify([sent], why)
    return answer, told


def intent(clock, *, seconds=-1.0, settled=None, verb=Verb.CANCEL):
    """Another intent for the case, so long after now."""
    now = clock.now()
    ended = None if settled is None else moments.stamp(now + timedelta(seconds=settled))
    return Intent("run-2", "another key", verb, moments.stamp(now + timedelta(seconds=seconds)), ended)


AT_THAT_TIME = {
    "under way": {"seconds": -1.0},
    "settled after it": {"seconds": -300.0, "settled": 5.0},
    "sent a little later": {"seconds": 2.0},
}
AT_ANOTHER_TIME = {
    "settled long before": {"seconds": -300.0, "settled": -200.0},
    "sent long after": {"seconds": 300.0},
    "a reinstatement": {"seconds": -1.0, "verb": Verb.REINSTATE},
}


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
@pytest.mark.parametrize("other", AT_THAT_TIME)
async def test_with_another_intent_at_that_time_the_effect_is_proven_and_not_whose_it_was(audit, other):
    async with case_server(ONE, quirks=Quirks(audit=audit)) as way:
        answer, told = await found_later(way, intents=[intent(way.server.clock, **AT_THAT_TIME[other])])
        assert (answer.state, answer.ours) == (ItemState.ALREADY_CANCELLED, None)
        assert told.verified is Verified.YES
        assert "other requests of this user fit as well" in told.note


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
@pytest.mark.parametrize("other", AT_ANOTHER_TIME)
async def test_an_intent_at_another_time_takes_nothing_away(audit, other):
    async with case_server(ONE, quirks=Quirks(audit=audit)) as way:
        answer, told = await found_later(way, intents=[intent(way.server.clock, **AT_ANOTHER_TIME[other])])
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, None, JANE)
        assert (told.verified, told.note) == (Verified.YES, None)


async def test_an_entry_that_fits_alone_taken_for_a_key_claims_what_may_be_anothers(monkeypatch):
    """The same check, with an entry believed to be of the order because it fits, is wrong: this is what finds it."""
    real = evidence.events_of

    def claimed(order, *given):
        return [replace(one, key=order.key) if one.proof is Proof.ALONE else one for one in real(order, *given)]

    monkeypatch.setattr(inquiry, "events_of", claimed)
    async with case_server(ONE, quirks=Quirks(audit="status_changed")) as way:
        answer, _ = await found_later(way)
        assert answer.ours is True


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
async def test_what_somebody_else_did_in_that_time_is_not_ours_and_contradicts(audit):
    async with case_server(ONE, quirks=Quirks(audit=audit)) as way:
        answer, told = await found_later(way, by="bob@example.com")
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, False, "bob@example.com")
        assert told.verified is Verified.CONTRADICTED
        assert "bob@example.com" in told.note


async def overtaken(way, by):
    """Our request is cut off before its effect, and somebody else's cancellation of the case is under way then."""
    system, case, begun = way.open(), way.server.cases[ONE], []
    [order] = await orders(system, [ONE])

    def cut(asked):
        first = asked.method == "POST" and not begun
        if first:
            begun.append(asked)
            way.server.cancelled_by(ONE, by)
            case.status, case.polls = "processing", 10**6
        return first

    await way.raw.arm("reset before the effect", cut)
    [reply] = await system.execute([order], errand())
    assert reply.state is ItemState.ACCEPTED, "it is waited for"
    await way.raw.mend()
    return system, replace(order, accepted=True), case


async def looked(way, system, order):
    way.server.clock.forward(60)
    [reply] = await system.reconcile([order], errand())
    return reply


@pytest.mark.parametrize(
    ("audit", "ours", "by"),
    [("status_changed", False, BOB), ("flat", False, BOB), ("events", False, BOB), ("silent", None, None)],
)
async def test_a_cancellation_that_was_found_under_way_is_not_ours_for_being_complete(audit, ours, by):
    async with case_server(ONE, quirks=Quirks(audit=audit)) as way:
        system, order, case = await overtaken(way, BOB)
        assert (await looked(way, system, order)).state is ItemState.ACCEPTED
        case.status = "cancelled"
        answer = await looked(way, system, order)
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, ours, by)
        assert way.server.effects == []


async def test_a_cancellation_that_is_not_ours_and_is_taken_back_lets_ours_be_sent_again():
    async with case_server(ONE, quirks=Quirks(audit="silent")) as way:
        system, order, case = await overtaken(way, BOB)
        case.status = "in_progress"
        assert (await looked(way, system, order)).state is ItemState.ACCEPTED
        assert way.server.effects == [(ONE, order.key)]
        case.polls = 1
        answer = await looked(way, system, order)
        assert (answer.state, answer.ours) == (ItemState.CANCELLED, True)


async def test_what_was_answered_to_be_taken_on_stays_ours_where_the_audit_is_silent(monkeypatch):
    """The other way round; and a conduct that takes what it found under way for its own is told apart."""
    async with case_server(ONE, quirks=Quirks(audit="silent", polls=2)) as way:
        system = way.open()
        sent = await orders(system, [ONE])
        [answer] = await carried_out(way, system, sent)
        assert (answer.state, answer.ours) == (ItemState.CANCELLED, True)
    found = Waits.found_taken
    monkeypatch.setattr(Waits, "found_taken", lambda self, order, now, answered: found(self, order, now, answered=True))
    async with case_server(ONE, quirks=Quirks(audit="silent")) as way:
        system, order, case = await overtaken(way, BOB)
        case.status = "cancelled"
        assert (await looked(way, system, order)).ours is True


async def test_another_reason_of_our_own_user_proves_nothing():
    async with case_server(ONE, quirks=Quirks(audit="status_changed")) as way:
        record = way.server.note_status
        way.server.note_status = lambda *given: record(*given[:-1], "duplicate")
        answer, told = await found_later(way)
        assert (answer.state, answer.ours) == (ItemState.ALREADY_CANCELLED, None)
        assert told.verified is Verified.NOT_KNOWN


@pytest.mark.parametrize(
    ("quirks", "proven"),
    [
        pytest.param(Quirks(audit="silent"), Verified.NOT_KNOWN, id="a silent audit"),
        pytest.param(Quirks(without=("audit-log",)), Verified.YES, id="no audit, by the status"),
    ],
)
async def test_an_audit_that_says_nothing_leaves_open_whose_it_was(quirks, proven):
    async with case_server(ONE, quirks=quirks) as way:
        answer, told = await found_later(way)
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, None, None)
        assert told.verified is proven


@pytest.mark.parametrize("ahead", [timedelta(hours=-3), timedelta(minutes=10)])
async def test_the_clock_of_the_server_is_the_one_that_counts(ahead):
    async with case_server(ONE, quirks=Quirks(audit="status_changed", ahead=ahead)) as way:
        answer, told = await found_later(way)
        assert (answer.state, answer.by, told.verified) == (ItemState.ALREADY_CANCELLED, JANE, Verified.YES)


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
@pytest.mark.parametrize("ahead", [timedelta(minutes=-10), timedelta(hours=1)])
async def test_a_server_that_hides_its_clock_and_is_far_off_proves_nothing(audit, ahead):
    """An entry of our own user at an odd time is not denied: the clocks may differ, and the request was sent."""
    async with case_server(ONE, quirks=Quirks(audit=audit, dates=False, ahead=ahead)) as way:
        answer, told = await found_later(way)
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, None, JANE)
        assert told.verified is Verified.NOT_KNOWN


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
async def test_what_somebody_else_did_at_an_odd_time_is_not_ours(audit):
    quirks = Quirks(audit=audit, dates=False, ahead=timedelta(hours=1))
    async with case_server(ONE, quirks=quirks) as way:
        answer, told = await found_later(way, by="bob@example.com")
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, False, "bob@example.com")
        assert told.verified is Verified.NOT_KNOWN


@pytest.mark.parametrize("audit", WITHOUT_KEYS)
async def test_what_our_user_did_before_anything_was_sent_is_not_ours(audit):
    async with case_server(ONE, quirks=Quirks(audit=audit)) as way:
        [order] = await orders(way.open(), [ONE])
        way.server.cancelled_by(ONE, JANE)
        way.server.clock.forward(600)
        sent = replace(order, sent_at=moments.stamp(way.server.clock.now()))
        [answer] = await way.open().execute([sent], errand())
        assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, False, JANE)
        assert way.server.effects == []


async def test_a_case_that_the_audit_cancels_twice_contradicts():
    async with case_server(ONE, quirks=Quirks(audit="status_changed")) as way:
        system = way.open()
        sent = await orders(system, [ONE])
        await carried_out(way, system, sent)
        case = way.server.cases[ONE]
        way.server.note_status(case, "in_progress", "cancelled", JANE, case.updated, "operational_request")
        [told] = await system.verify(sent, errand())
        assert told.verified is Verified.CONTRADICTED


@pytest.mark.parametrize("quirks", [{}, *({"audit": one} for one in WITHOUT_KEYS), {"without": ("audit-log",)}])
async def test_what_our_own_undo_took_back_is_undone_and_what_a_stranger_did_contradicts(quirks, tmp_path):
    async with case_server(*NAMES[:2], quirks=Quirks(**quirks)) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await confirmed(world, *NAMES[:2])
        await world.worker().drive(run.id)
        stranger = way.server.cases[NAMES[1]]
        undo = await world.confirm(await world.undo(run.id), key="k2")
        way.server.clock.forward(30)
        # Somebody else is there first with one of the two.
        stranger.status = "in_progress"
        if not quirks.get("without"):
            if quirks.get("audit"):
                way.server.note_status(stranger, "cancelled", "in_progress", BOB, stranger.updated, "mistake")
            else:
                entry = {"event": "CASE_REINSTATED", "timestamp": stranger.updated, "user_id": BOB, "details": {}}
                stranger.audit.append(entry)
        back = await world.worker().drive(undo.id)
        assert back.states[ItemState.REINSTATED] == 1
        again = await world.steering.verify(run.id, WHO)
        assert dict(again.verified) == {Verified.UNDONE: 1, Verified.CONTRADICTED: 1}
        by = {one.item.seen.id: one.verification for one in await world.items(run.id)}
        assert (by[NAMES[0]].verified, by[NAMES[0]].note) == (Verified.UNDONE, f"undone by run {undo.id}")
        assert (await world.store.ledger.check()).problem is None
        await world.close()


async def test_the_journal_names_every_intent_that_may_have_had_its_effect(tmp_path):
    async with case_server(*NAMES) as way:
        way.server.cases[NAMES[1]].hold = True
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        first = await confirmed(world, *NAMES[:2])
        await world.worker().drive(first.id)
        [told] = await world.store.work.intents("cases", NAMES[0])
        assert (told.run_id, told.verb) == (first.id, Verb.CANCEL)
        assert told.sent_at < told.settled_at
        assert await world.store.work.intents("cases", NAMES[1]) == [], "nothing was sent for it"
        assert await world.store.work.intents("commands", NAMES[0]) == []
        undo = await world.confirm(await world.undo(first.id), key="k2")
        await world.worker().drive(undo.id)
        assert [one.verb for one in await world.store.work.intents("cases", NAMES[0])] == [Verb.CANCEL, Verb.REINSTATE]
        await world.close()
