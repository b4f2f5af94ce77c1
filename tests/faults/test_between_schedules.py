"""Whoever answers in place of a schedule service, with whatever status and form: its own record decides what is said.

In place of a cancellation before or after its effect, for every read after it, and for every verb on each of its paths;
in bulk and one by one, in both dialects.
"""

from dataclasses import dataclass

import pytest

from support.between import (
    FEW,
    STRANGERS,
    STRANGERS_OF_CHANGES,
    Between,
    Handled,
    carried,
    changes,
    reads,
)
from support.orders import errand, orders
from support.raw_server import Answered
from support.schedule_servers import ALL, SECRET, LuxarisPosts, Posts, SeedPosts
from tui_app.domain.errors import NotSignedIn, OutcomeUnknown, QuashError, RateLimited, Unavailable
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import Count, Page, PageQuery, Sort
from tui_app.domain.ports import Preview
from tui_app.domain.run import Answer, ItemState, Verification, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.answers import Response
from tui_app.outbound.http import HttpService
from tui_app.outbound.recognition import Said
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.schedules import http_write
from tui_app.systems.schedules.bodies import error_of
from tui_app.systems.schedules.http import HttpSchedules

WAYS = {
    "bulk": lambda: SeedPosts(),
    "single": lambda: SeedPosts(quirks=["no bulk"]),
    "luxaris": lambda: LuxarisPosts(),
}
STATUSES = list(dict.fromkeys(name.partition(",")[0] for name in STRANGERS_OF_CHANGES))
OPEN = (ItemState.ACCEPTED, ItemState.UNKNOWN)


@dataclass
class Scene:
    posts: Posts
    between: Between
    ids: list[str]

    def open(self) -> HttpSchedules:
        """An adapter as a process of its own has it."""
        bearer = self.posts.auth[0] == "authorization"
        service = HttpService(
            "http://127.0.0.1:1",
            tokens=TokenSource.given(SECRET),
            auth="bearer" if bearer else "x-session-id",
            shape=error_of,
        )
        return HttpSchedules("http://127.0.0.1:1", clock=self.posts.clock, http=carried(service, self.between))

    def effects(self, item_id: str) -> int:
        return sum(one == item_id for one, _ in self.posts.effects)


def scene(way: str) -> Scene:
    posts = WAYS[way]()
    ids = [posts.add(), posts.add()]
    return Scene(posts, Between(Handled(posts.handle)), ids)


def of_status(status: str) -> list[Answered]:
    return [one for name, one in STRANGERS_OF_CHANGES.items() if name.partition(",")[0] == status]


def justified(set_: Scene, way: str, item_id: str, reply) -> None:
    """A reply holds only what the service's record justifies."""
    effects = set_.effects(item_id)
    assert effects <= 1, "it had its effect twice"
    if isinstance(reply, Unavailable):
        assert effects == 0, f"{reply!r} says that nothing was sent"
    elif isinstance(reply, Answer) and reply.state is ItemState.ALREADY_CANCELLED:
        # Without reasons nobody can tell whose it was, and that is said.
        assert (way, reply.ours, effects) == ("luxaris", None, 1)
    elif isinstance(reply, Answer) and reply.state not in OPEN:
        assert (reply.state, effects) == (ItemState.CANCELLED, 1), f"{reply} is not justified"


async def executed(set_: Scene, system: HttpSchedules, chunk):
    """The replies, as the engine gets them."""
    try:
        return await system.execute(chunk, errand())
    except (Unavailable, OutcomeUnknown) as error:
        return [error] * len(chunk)
    except NotSignedIn as error:
        raise AssertionError(f"a stranger's word is taken for the API's: {error}") from error


async def settled(set_: Scene, system: HttpSchedules, chunk, replies):
    for _ in range(5):
        if all(isinstance(one, Answer) and one.state not in OPEN for one in replies):
            return replies
        unsent = all(isinstance(one, Unavailable) for one in replies) and not set_.posts.effects
        replies = await (system.execute if unsent else system.reconcile)(chunk, errand())
    return replies


TIMES = {
    "before": {"acts": False},
    "during": {"acts": True},
    "before, once": {"acts": False, "times": 1},
    "during, once": {"acts": True, "times": 1},
}


async def changed(way: str, stranger: Answered, when: str) -> None:
    set_ = scene(way)
    system = set_.open()
    chunk = await orders(system, set_.ids)
    set_.between.arm(stranger, changes, **TIMES[when])
    replies = await executed(set_, system, chunk)
    assert set_.between.met
    for order, reply in zip(chunk, replies, strict=True):
        justified(set_, way, order.id, reply)
    set_.between.mend()
    final = await settled(set_, system, chunk, replies)
    for order, reply in zip(chunk, final, strict=True):
        assert reply.state in (ItemState.CANCELLED, ItemState.ALREADY_CANCELLED)
        assert set_.effects(order.id) == 1
        justified(set_, way, order.id, reply)
    assert {one.verified for one in await system.verify(chunk, errand())} == {Verified.YES}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_cancellation_ends_as_the_service_s_record_says(way, when, status):
    for stranger in of_status(status):
        await changed(way, stranger, when)


async def after(way: str, stranger: Answered, *, lost: bool, resumed: bool) -> None:
    """Cancelled, with or without an answer; from then on a stranger answers every read, and then nobody does."""
    set_ = scene(way)
    system = set_.open()
    chunk = await orders(system, set_.ids)
    if lost:
        set_.between.arm(stranger, lambda asked: True, acts=True)
    replies = await executed(set_, system, chunk)
    set_.between.arm(stranger, reads)
    if resumed:
        system = set_.open()
    for order, reply in zip(chunk, replies, strict=True):
        justified(set_, way, order.id, reply)
    try:
        for order, reply in zip(chunk, await system.reconcile(chunk, errand()), strict=True):
            # To one that was sent already, it says that nobody could look.
            if not isinstance(reply, Unavailable):
                justified(set_, way, order.id, reply)
    except (Unavailable, OutcomeUnknown):
        assert set_.between.met
    try:
        assert {one.verified for one in await system.verify(chunk, errand())} == {Verified.NOT_KNOWN}
    except Unavailable:
        assert set_.between.met
    set_.between.mend()
    for order, reply in zip(chunk, await settled(set_, system, chunk, replies), strict=True):
        assert reply.state in (ItemState.CANCELLED, ItemState.ALREADY_CANCELLED)
        justified(set_, way, order.id, reply)
    assert {one.verified for one in await system.verify(chunk, errand())} == {Verified.YES}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_what_was_sent_is_not_refused_by_the_reads_after_it(way, lost, status):
    for place, stranger in enumerate(of_status(status)):
        if stranger.status != 200 or stranger.body:
            await after(way, stranger, lost=lost, resumed=place % 2 == 1)


# -- every verb, with a stranger on each of its paths in turn

PATHS = {
    "the list": lambda set_, asked: asked.path == ALL,
    "the schedule": lambda set_, asked: asked.path == f"{ALL}/{set_.ids[0]}",
    "the audit": lambda set_, asked: asked.path.endswith("/audit-log"),
    "everything": lambda set_, asked: reads(asked),
}
SOONEST = PageQuery(parse("status:pending,queued,cancelled"), Sort("run_at"))
VERBS = {
    "list": lambda system, ids, chunk: system.page(SOONEST),
    "list in another order": lambda system, ids, chunk: system.page(PageQuery(Filter(), Sort("id"))),
    "count": lambda system, ids, chunk: system.count(parse("status:pending,cancelled")),
    "item": lambda system, ids, chunk: system.item(ids[0]),
    "preview": lambda system, ids, chunk: system.preview(ids[0]),
    "trail": lambda system, ids, chunk: system.trail(ids[0]),
    "survey": lambda system, ids, chunk: system.survey(ids),
    "arrange": lambda system, ids, chunk: system.arrange(ids),
    "verify": lambda system, ids, chunk: system.verify(chunk, errand()),
}


def same(told, true) -> bool:
    if isinstance(told, Page):
        return same(list(told.items), list(true.items))
    if isinstance(told, Preview):
        return told.verdict == true.verdict and told.effects == true.effects
    return bool(told == true)


def parts(told) -> list:
    return list(told) if isinstance(told, list) else [told]


def not_known(told) -> bool:
    if isinstance(told, Verification):
        return told.verified is Verified.NOT_KNOWN
    return getattr(getattr(told, "verdict", None), "code", None) is VerdictCode.NOT_KNOWN


def honest(told, true) -> bool:
    """Whether each part of an answer is true, or says that it is not known."""
    if isinstance(true, Page | Count) or len(parts(told)) != len(parts(true)):
        return same(told, true)
    return all(same(one, other) or not_known(one) for one, other in zip(parts(told), parts(true), strict=True))


async def asked(verb: str, system: HttpSchedules, set_: Scene, chunk):
    try:
        return await VERBS[verb](system, set_.ids, chunk)
    except (Unavailable, OutcomeUnknown) as error:
        return error
    except QuashError as error:
        raise AssertionError(f"{error!r} is believed of a stranger") from error


async def looked(way: str, verb: str, stranger: Answered, path: str) -> bool:
    """A verb on a new adapter, and on one that knows the dialect: the truth, or not known. Whether it was met."""
    set_ = scene(way)
    chunk = await orders(set_.open(), set_.ids)
    if verb in ("verify", "trail"):
        await set_.open().execute(chunk, errand())
    if verb == "trail" and way == "luxaris":
        return False
    true, known, met = await asked(verb, set_.open(), set_, chunk), set_.open(), False
    await known.count(Filter())
    for system in (set_.open(), known):
        set_.between.arm(stranger, lambda one: PATHS[path](set_, one))
        told = await asked(verb, system, set_, chunk)
        met = bool(set_.between.met) or met
        if isinstance(told, QuashError):
            assert set_.between.met, f"{told!r} is nobody's doing"
            assert not isinstance(told, RateLimited)
        else:
            assert honest(told, true), f"{told} is believed of a stranger, and {true} is true"
        set_.between.mend()
        set_.posts.clock.forward(6)
        if met:
            assert type(await asked(verb, system, set_, chunk)) is type(true), "it is not looked at again"
    return met


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("way", ["bulk", "luxaris"])
async def test_a_verb_tells_the_truth_or_that_it_is_not_known(way, verb, path):
    for stranger in FEW.values():
        if not await looked(way, verb, stranger, path):
            return


def believes(self, request, reply) -> Response:
    """A broken reading: a status is believed, whoever says it."""
    text = reply.body.decode("utf-8", "replace")
    code = {403: "SCHEDULE_ACCESS_DENIED"}.get(reply.status, "SCHEDULE_NOT_FOUND")
    return Response(reply.status, dict(reply.headers), None, text, None, Said(code, text))


@pytest.mark.parametrize("way", ["single", "luxaris"])
@pytest.mark.parametrize("status", ["403", "404", "410"])
async def test_the_matrix_finds_who_believes_a_status(status, way, monkeypatch):
    monkeypatch.setattr(HttpService, "_refused", believes)
    # Reading the schedule would tell, too.
    monkeypatch.setattr(http_write, "CANCELLED", "no status at all")
    stranger = of_status(status)[0]
    with pytest.raises(AssertionError):
        await changed(way, stranger, "during")
    with pytest.raises(AssertionError):
        await looked(way, "survey", stranger, "the schedule")


@pytest.mark.parametrize("name", ["404, a text", "410, no body"])
async def test_the_matrix_finds_who_believes_a_status_of_a_verification(name, monkeypatch):
    monkeypatch.setattr(HttpService, "_refused", believes)
    with pytest.raises(AssertionError):
        await looked("bulk", "verify", next(iter(of_status(name[:3]))), "the schedule")


def test_a_success_without_a_body_is_one_of_the_strangers():
    assert set(STRANGERS_OF_CHANGES) - set(STRANGERS) == {"200, no body"}


@pytest.mark.parametrize("code", ["SCHEDULE_NOT_FOUND", "SCHEDULE_ACCESS_DENIED"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_in_the_form_of_the_service_is_not_believed_where_the_schedule_says_otherwise(way, code):
    status = 404 if code == "SCHEDULE_NOT_FOUND" else 403
    copied = Answered(status, {"errors": [{"error_code": code, "error_description": "policy 7"}]})
    await changed(way, copied, "during, once")
