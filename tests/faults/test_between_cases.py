"""Whoever answers in place of the case API, with whatever status and form: the server's record decides what is said.

Before the effect, in place of the answer to it, and for every read after it; and for every verb, on each of its paths.
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from support.between import (
    EMPTY,
    FEW,
    FORMS,
    REDIRECTS,
    REFUSALS,
    STRANGERS,
    STRANGERS_OF_CHANGES,
    Between,
    Handled,
    carried,
    changes,
    reads,
)
from support.case_server import JANE, TOKEN, CaseServer, Kept, Quirks
from support.orders import errand, orders
from support.raw_server import Answered
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotSignedIn, OutcomeUnknown, QuashError, RateLimited, Unavailable
from tui_app.domain.filters import parse
from tui_app.domain.items import Page, PageQuery, Seen, Sort
from tui_app.domain.ports import Preview
from tui_app.domain.run import Answer, ItemState, Verification, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.answers import Response
from tui_app.outbound.http import HttpService
from tui_app.outbound.recognition import Said
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases import conduct
from tui_app.systems.cases.dialects import error_of
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.inquiry import _FITS, STRANGE
from tui_app.systems.cases.line import CaseLine

ONE, TWO = "CASE-1", "CASE-2"
OPEN = (ItemState.ACCEPTED, ItemState.UNKNOWN)
BACK = errand("undo-1", verb=Verb.REINSTATE, reason="cancelled by mistake")
STATUSES = list(dict.fromkeys(name.partition(",")[0] for name in STRANGERS_OF_CHANGES))


@dataclass
class Scene:
    server: CaseServer
    between: Between

    def open(self) -> HttpCases:
        """An adapter as a process of its own has it."""
        tokens, clock = TokenSource.given(TOKEN), self.server.clock
        service = HttpService("http://127.0.0.1:1", tokens=tokens, shape=error_of, clock=clock)

        async def wait(seconds: float) -> None:
            clock.forward(seconds)

        line = CaseLine(carried(service, self.between), tokens, JANE, clock=clock, contact="#case-ops", wait=wait)
        return HttpCases(line, "http://127.0.0.1:1")

    def effects(self, verb: Verb, case_id: str = ONE) -> int:
        log = self.server.returned if verb is Verb.REINSTATE else self.server.effects
        return sum(one == case_id for one, _ in log)


def scene(quirks: Quirks | None = None) -> Scene:
    server = CaseServer(quirks=quirks or Quirks())
    server.cases = {ONE: Kept(), TWO: Kept()}
    return Scene(server, Between(Handled(server.handle)))


def of_status(status: str) -> dict[str, Answered]:
    return {name: one for name, one in STRANGERS_OF_CHANGES.items() if name.partition(",")[0] == status}


async def settled(set_: Scene, system: HttpCases, order, why, reply):
    """What becomes of an order once nobody is in between any more."""
    for _ in range(20):
        if isinstance(reply, Answer) and reply.state not in OPEN:
            return reply
        set_.server.clock.forward(60)
        unsent = isinstance(reply, Unavailable) and not set_.effects(why.verb)
        [reply] = await (system.execute if unsent else system.reconcile)([order], why)
    return reply


def justified(set_: Scene, verb: Verb, reply) -> None:
    """A reply holds only what the server's record justifies."""
    effects = set_.effects(verb)
    assert effects <= 1, "it had its effect twice"
    if isinstance(reply, Answer) and reply.state not in OPEN:
        done = ItemState.REINSTATED if verb is Verb.REINSTATE else ItemState.CANCELLED
        assert reply.state is done, f"{reply} is not justified"
        assert effects == 1, "it is reported, and had no effect"
    elif isinstance(reply, Unavailable):
        assert effects == 0, f"{reply!r} says that nothing was sent"
    else:
        assert isinstance(reply, Answer | OutcomeUnknown)


async def prepared(set_: Scene, system: HttpCases, verb: Verb):
    """An order for the verb; for bringing back, the case is cancelled before."""
    if verb is Verb.CANCEL:
        [order] = await orders(system, [ONE])
        return order, errand()
    [first] = await orders(system, [ONE])
    [reply] = await system.execute([first], errand())
    await settled(set_, system, first, errand(), reply)
    [order] = await orders(system, [ONE], "undo-1", verb=verb)
    return order, BACK


TIMES = {
    "before": {"acts": False},
    "during": {"acts": True},
    "before, once": {"acts": False, "times": 1},
    "during, once": {"acts": True, "times": 1},
}


async def changed(verb: Verb, stranger: Answered, when: str) -> None:
    set_ = scene()
    system = set_.open()
    order, why = await prepared(set_, system, verb)
    set_.between.arm(stranger, changes, **TIMES[when])
    [reply] = await system.execute([order], why)
    assert set_.between.met
    justified(set_, verb, reply)
    set_.between.mend()
    final = await settled(set_, system, order, why, reply)
    assert final.state is (ItemState.REINSTATED if verb is Verb.REINSTATE else ItemState.CANCELLED)
    justified(set_, verb, final)
    [found] = await system.verify([order], why)
    assert found.verified is Verified.YES


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.REINSTATE])
async def test_a_change_ends_as_the_server_s_record_says(verb, when, status):
    for stranger in of_status(status).values():
        await changed(verb, stranger, when)


async def after(verb: Verb, stranger: Answered, resumed: bool) -> None:
    """The change was answered; from then on a stranger answers every read, and then nobody does."""
    set_ = scene(Quirks(polls=2))
    system = set_.open()
    order, why = await prepared(set_, system, verb)
    [reply] = await system.execute([order], why)
    justified(set_, verb, reply)
    set_.between.arm(stranger, reads)
    if resumed:
        system = set_.open()
    set_.server.clock.forward(60)
    for _ in range(3):
        try:
            [reply] = await system.reconcile([order], why)
        except NotSignedIn as error:
            raise AssertionError(f"a stranger's word is taken for the API's: {error}") from error
        told = reply if isinstance(reply, Answer) else None
        assert told is None or told.state in OPEN or told.state is ItemState.REINSTATED, f"{reply} is not justified"
        set_.server.clock.forward(60)
    try:
        [found] = await system.verify([order], why)
        assert found.verified is Verified.NOT_KNOWN
    except Unavailable:
        assert set_.between.met
    set_.between.mend()
    final = await settled(set_, system, order, why, reply if isinstance(reply, Answer) else OutcomeUnknown(""))
    assert final.state is (ItemState.REINSTATED if verb is Verb.REINSTATE else ItemState.CANCELLED)
    [found] = await system.verify([order], why)
    assert (found.verified, set_.effects(verb)) == (Verified.YES, 1)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.REINSTATE])
async def test_what_was_answered_is_not_refused_by_the_reads_after_it(verb, resumed, status):
    for name, stranger in of_status(status).items():
        if name != EMPTY:
            await after(verb, stranger, resumed)


# -- every verb, with a stranger on each of its paths in turn

PATHS = {
    "the case": lambda asked: asked.path == f"/api/v2/cases/{ONE}",
    "the status": lambda asked: asked.path.endswith("/status"),
    "the dependencies": lambda asked: asked.path.endswith("/dependencies"),
    "the permission": lambda asked: "/permissions/" in asked.path,
    "the preview": lambda asked: asked.path.endswith("/cancel/preview"),
    "the audit": lambda asked: asked.path.endswith("/audit-log"),
    "the list": lambda asked: asked.path == "/api/v2/cases",
    "everything": reads,
}
NAMED = PageQuery(parse(f"id:{ONE}"), Sort("id"))


async def _listed(system: HttpCases, order, why):
    return await system.page(NAMED)


VERBS = {
    "list": _listed,
    "count": lambda system, order, why: system.count(parse(f"id:{ONE}")),
    "item": lambda system, order, why: system.item(ONE),
    "preview": lambda system, order, why: system.preview(ONE),
    "trail": lambda system, order, why: system.trail(ONE),
    "survey": lambda system, order, why: system.survey([ONE]),
    "survey of an undo": lambda system, order, why: system.survey([ONE], Verb.REINSTATE),
    "verify": lambda system, order, why: system.verify([order], why),
}


def same(told, true) -> bool:
    """Whether two answers say the same, but for when they were read."""
    if isinstance(told, Page):
        return same(list(told.items), list(true.items))
    if isinstance(told, Preview):
        return told.verdict == true.verdict and [one.code for one in told.effects] == [one.code for one in true.effects]
    if isinstance(told, Seen):
        return (told.status, told.version, told.verdict) == (true.status, true.version, true.verdict)
    if isinstance(told, list):
        return len(told) == len(true) and all(same(*pair) for pair in zip(told, true, strict=True))
    return bool(told == true)


def not_known(told) -> bool:
    """Whether an answer says, of all that it is about, that it is not known."""
    if isinstance(told, Page):
        return not_known(list(told.items))
    if isinstance(told, list):
        return bool(told) and all(not_known(one) for one in told)
    if isinstance(told, Verification):
        return told.verified is Verified.NOT_KNOWN
    return getattr(getattr(told, "verdict", None), "code", None) is VerdictCode.NOT_KNOWN


@asynccontextmanager
async def cancelled_case():
    set_ = scene()
    set_.server.clock.now()
    system = set_.open()
    [order] = await orders(system, [ONE])
    [reply] = await system.execute([order], errand())
    await settled(set_, system, order, errand(), reply)
    yield set_, order


@asynccontextmanager
async def open_case():
    set_ = scene()
    [order] = await orders(set_.open(), [ONE])
    yield set_, order


async def asked(set_: Scene, system: HttpCases, verb: str, order):
    """What a verb tells; an error where nothing was learned, and an assertion where a stranger was believed."""
    try:
        return await VERBS[verb](system, order, errand())
    except (Unavailable, OutcomeUnknown) as error:
        return error
    except QuashError as error:
        raise AssertionError(f"{error!r} is believed of a stranger") from error


async def looked(verb: str, stranger: Answered, path: str, scenery) -> bool:
    """A verb on a new adapter, and on one that has met the API before: the truth, or not known. Whether it was met."""
    async with scenery() as (set_, order):
        ask = VERBS[verb]
        true = await ask(set_.open(), order, errand())
        known, met = set_.open(), False
        await known.item(TWO)
        for system in (set_.open(), known):
            set_.between.arm(stranger, PATHS[path])
            told = await asked(set_, system, verb, order)
            met = bool(set_.between.met)
            if isinstance(told, QuashError):
                assert met, f"{told!r} is nobody's doing"
                assert not isinstance(told, RateLimited)
            else:
                assert same(told, true) or not_known(told), f"{told} is believed of a stranger, and {true} is true"
            set_.between.mend()
            if met:
                set_.server.clock.forward(STRANGE.total_seconds())
                assert same(await ask(system, order, errand()), true), "it is not looked at again"
    return met


LOOKS = [(verb, open_case) for verb in VERBS if verb != "verify"]
LOOKS += [(verb, cancelled_case) for verb in ("item", "trail", "survey of an undo", "verify")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("verb", "scenery"), LOOKS, ids=[f"{verb}, {one.__name__}" for verb, one in LOOKS])
async def test_a_verb_tells_the_truth_or_that_it_is_not_known(verb, scenery, path):
    for stranger in FEW.values():
        if not await looked(verb, stranger, path, scenery):
            return


def believes(self, request, reply) -> Response:
    """A broken reading: a status is believed, whoever says it."""
    text = reply.body.decode("utf-8", "replace")
    return Response(reply.status, dict(reply.headers), None, text, None, Said("CASE_NOT_FOUND", text))


@pytest.mark.parametrize("status", ["403", "404"])
async def test_the_matrix_finds_who_believes_a_status(status, monkeypatch):
    monkeypatch.setattr(HttpService, "_refused", believes)
    # Reading the case would tell, too.
    monkeypatch.setattr(conduct, "_reached", lambda status, verb: False)
    with pytest.raises(AssertionError):
        await changed(Verb.CANCEL, next(iter(of_status(status).values())), "during")


@pytest.mark.parametrize(
    ("status", "verb", "scenery"),
    [("404", "verify", cancelled_case), ("405", "verify", cancelled_case), ("403", "survey", open_case)],
)
async def test_the_matrix_finds_who_believes_a_status_of_a_read(status, verb, scenery, monkeypatch):
    monkeypatch.setattr(HttpService, "_refused", believes)
    with pytest.raises(AssertionError):
        await looked(verb, next(iter(of_status(status).values())), "everything", scenery)


@pytest.mark.parametrize(
    ("name", "verb", "path"),
    [
        ("a state of health", "verify", "everything"),
        ("a scalar", "survey", "the status"),
        ("a list", "trail", "the audit"),
        ("a login", "item", "the case"),
    ],
)
async def test_the_matrix_finds_who_believes_any_success(name, verb, path, monkeypatch):
    monkeypatch.setattr("tui_app.systems.cases.inquiry._FITS", dict.fromkeys(_FITS, lambda response, _: True))
    with pytest.raises(AssertionError):
        await looked(verb, STRANGERS[f"200, {name}"], path, cancelled_case)


async def test_what_was_accepted_is_not_refused_where_it_is_gone():
    """The API itself says that there is no such case, after it has taken the cancellation on."""
    set_ = scene(Quirks(polls=10**6))
    system = set_.open()
    [order] = await orders(system, [ONE])
    [reply] = await system.execute([order], errand())
    assert reply.state is ItemState.ACCEPTED
    del set_.server.cases[ONE]
    for resumed in (system, set_.open()):
        set_.server.clock.forward(60)
        [reply] = await resumed.reconcile([replace(order, accepted=True)], errand())
        assert reply.state is ItemState.UNKNOWN


def test_every_status_comes_in_several_forms_and_every_form_with_several_statuses():
    assert {one.status for one in STRANGERS.values()} == {200, *REFUSALS, *REDIRECTS}
    assert min(sum(name.endswith(f", {form}") for name in STRANGERS) for form in FORMS) >= 3


@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.REINSTATE])
@pytest.mark.parametrize("status", [403, 404])
async def test_a_refusal_in_the_form_of_the_api_is_not_believed_where_the_case_says_otherwise(status, verb):
    said = {"error": {"code": "FORBIDDEN", "message": "policy 7", "details": {}, "request_id": "r", "timestamp": "t"}}
    copied = Answered(status, said)
    await changed(verb, copied, "during, once")
