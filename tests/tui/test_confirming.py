"""The review without a screen: what a confirmation takes, and what it says when it does not."""

import shlex

import pytest

from tui_app.contract.plans import PlanCountsModel, PlanModel, PlanRequest, SelectionModel
from tui_app.domain.errors import AboveCap, Conflict, InvalidReason, NotAllowed, PhraseDiffers
from tui_app.tui.confirming import Limits, Review, numbers, progress

REASON = "Bad deploy"


def plan(items=3, cancellable=3, **facts):
    known = {
        "id": "plan-1",
        "state": "ready",
        "verb": "cancel",
        "hash": "ab" * 32,
        "counts": PlanCountsModel(items=items, cancellable=cancellable, blocked=items - cancellable),
        "read": items,
        "phrase": ("yes" if cancellable <= 20 else str(cancellable)) if cancellable else None,
        "selection": "commands: 3 ids",
        "operator": "jane",
        "host": "ops-1",
        "created_at": "2024-05-06T14:00:00.000000Z",
        "expires_at": "2024-05-06T14:30:00.000000Z",
    }
    return PlanModel(**{**known, **facts})


def review(of=None, **limits):
    return Review(Limits(**limits), of or plan())


def confirm(of, typed, reason=REASON, *, notify=True, accept_drift=False):
    return of.confirm(reason, typed, notify=notify, accept_drift=accept_drift)


def test_the_expected_words_and_a_reason_confirm():
    confirmed = confirm(review(), "yes", f"  {REASON} ", notify=False, accept_drift=True)
    assert (confirmed.plan, confirmed.request.hash) == ("plan-1", "ab" * 32)
    assert (confirmed.request.reason, confirmed.request.phrase) == (REASON, "yes")
    assert (confirmed.request.options.notify_stakeholders, confirmed.request.options.accept_drift) == (
        False,
        True,
    )


@pytest.mark.parametrize("typed", ["", "y", "YES", "yes ", " yes", "1880", "no"])
def test_anything_else_says_what_is_expected(typed):
    with pytest.raises(PhraseDiffers, match="type exactly: yes"):
        confirm(review(), typed)


@pytest.mark.parametrize("typed", ["yes", "1,880", "1920", "188"])
def test_above_twenty_only_the_number_confirms(typed):
    many = review(plan(1920, 1880))
    with pytest.raises(PhraseDiffers, match="1880"):
        confirm(many, typed)
    assert confirm(many, "1880").request.phrase == "1880"


def test_the_service_says_what_production_wants():
    production = review(plan(phrase="production yes"), environment="production")
    with pytest.raises(PhraseDiffers, match="production yes"):
        confirm(production, "yes")
    assert confirm(production, "production yes").request.phrase == "production yes"


def test_what_the_profile_alone_calls_production_wants_its_name_too_and_the_service_gets_its_own_words():
    production = review(environment="production")
    for typed in ("yes", "production", "production production yes"):
        with pytest.raises(PhraseDiffers, match="production yes"):
            confirm(production, typed)
    assert confirm(production, "production yes").request.phrase == "yes"


@pytest.mark.parametrize(
    ("of", "error", "says"),
    [
        (review(plan(4, 0)), Conflict, "nothing in this plan"),
        (review(plan(30, 30), cap=20), AboveCap, "30 items are above the cap of 20"),
        (review(read_only=True), NotAllowed, "read-only"),
        (review(plan(state="building", hash=None, phrase=None)), Conflict, "still being made"),
        (review(plan(state="failed", error="disk full")), Conflict, "disk full"),
        (Review(Limits()), Conflict, "still being made"),
    ],
)
def test_what_cannot_be_confirmed_says_so_before_anything_else(of, error, says):
    with pytest.raises(error, match=says):
        confirm(of, "yes", reason="")


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 501, "two\nlines", "\x1b[31mred"])
def test_a_reason_is_judged_before_the_words(reason):
    with pytest.raises(InvalidReason):
        confirm(review(), "wrong", reason)


def test_one_review_is_one_run_and_another_plan_another():
    one = review()
    first = confirm(one, "yes").key
    one.take(plan(read=3))
    assert confirm(one, "yes").key == first
    one.take(plan(id="plan-2"))
    assert confirm(one, "yes").key != first


def test_both_numbers_are_labelled():
    assert numbers(plan(1920, 1880)) == "1,920 in the plan, 1,880 will be cancelled, 40 blocked"
    assert numbers(plan(verb="reinstate")) == "3 in the plan, 3 will be reinstated, 0 blocked"


def test_progress_says_of_how_many_where_that_is_known():
    assert progress(plan(read=1200, expected=12000)) == "1,200 of 12,000 read"
    assert progress(plan(read=1200)) == "1,200 read"


def request(**selection):
    return PlanRequest(selections=[SelectionModel(system="commands", **selection)])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (request(ids=["pay/a b", "pay/c"]), ["cancel", "commands", "pay/a b", "pay/c"]),
        (request(filter='error_code:"X Y"'), ["cancel", "commands", "--filter", 'error_code:"X Y"']),
        (request(filter="type:A", excluded=["pay/c"]), ["apply", "plan-1"]),
        (request(ids=[f"pay/{n:027}" for n in range(2)]), ["apply", "plan-1"]),
        (None, ["apply", "plan-1"]),
    ],
)
def test_the_command_line_does_the_same(asked, words):
    line = Review(Limits(), plan(), asked).command_line("it's bad", notify=True, accept_drift=False)
    assert shlex.split(line) == ["quash", *words, "--yes", "--expect-count", "3", "--reason", "it's bad"]


def test_the_command_line_is_for_the_profile_that_the_console_is_on():
    words = ("quash", "--profile", "prod eu")
    line = Review(Limits(), plan(), invocation=words).command_line("bad", notify=True, accept_drift=False)
    assert shlex.split(line)[:5] == [*words, "apply", "plan-1"]


def test_the_command_line_has_the_options():
    words = shlex.split(review().command_line(" ", notify=False, accept_drift=True))
    assert words[2:] == [
        "plan-1",
        "--yes",
        "--expect-count",
        "3",
        "--no-notify",
        "--accept-drift",
        "--reason",
        "...",
    ]
