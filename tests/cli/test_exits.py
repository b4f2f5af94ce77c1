"""Exit codes: one for every error, and for everything that can become of a run the first that applies."""

import pytest

from tui_app.cli.exits import BY_CODE, PRECEDENCE, Exit, of_error, of_run
from tui_app.contract.runs import OptionsModel, OutcomeLine, PauseModel, RunModel, VerifiedModel
from tui_app.domain.errors import BY_CODE as ERRORS
from tui_app.domain.errors import CannotConnect


def run(
    *outcomes: tuple[str, str | None], accepted: bool = False, pause: str | None = None, **verified: int
) -> RunModel:
    counts = dict.fromkeys(("cancelled", "already_cancelled", "refused", "skipped", "unknown", "pending"), 0)
    for state, _ in outcomes:
        counts[state] += 1
    return RunModel(
        id="r1", plan="p1", plan_hash="0" * 64, verb="cancel", state="paused" if pause else "finished",
        pause=PauseModel(cause=pause) if pause else None, counts=counts, items=len(outcomes),
        verified=VerifiedModel(**verified),
        outcomes=[OutcomeLine(state=state, code=code, count=1) for state, code in outcomes],
        operator="jane", reason="duplicate", options=OptionsModel(accept_drift=accepted),
        created_at="2026-01-05T08:00:00.000000Z", attended=False,
    )  # fmt: skip


DONE = ("cancelled", None)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (Exit.DONE, run()),
        (Exit.DONE, run(DONE, ("already_cancelled", None), yes=1)),
        (Exit.DONE, run(("skipped", "ALREADY_CANCELLED"))),
        (Exit.PARTLY, run(DONE, ("skipped", "NOT_FOUND"))),
        (Exit.PARTLY, run(DONE, ("refused", "REPLY_QUEUE_MISSING"))),
        (Exit.PARTLY, run(("skipped", "STOPPED"))),
        (Exit.PARTLY, run(("skipped", "CLAIMED"))),
        (Exit.NO_ACCESS, run(("refused", "FORBIDDEN"))),
        (Exit.STALE, run(DONE, ("skipped", "DRIFTED"))),
        (Exit.PARTLY, run(DONE, ("skipped", "DRIFTED"), accepted=True)),
        (Exit.RATE_LIMITED, run(("refused", "RATE_LIMITED"))),
        (Exit.UNKNOWN, run(DONE, ("unknown", None))),
        (Exit.UNKNOWN, run(DONE, contradicted=1)),
        (Exit.UNKNOWN, run(DONE, not_known=1)),
        (Exit.NO_ACCESS, run(DONE, pause="credentials")),
        (Exit.NO_ACCESS, run(pause="principal")),
        (Exit.NO_ACCESS, run(pause="breaker")),
        (Exit.STALE, run(pause="target")),
        (Exit.RATE_LIMITED, run(pause="gate")),
        (Exit.INTERRUPTED, run(DONE, pause="operator")),
        (Exit.INTERRUPTED, run(("skipped", "NOT_FOUND"), pause="operator")),
        (Exit.UNKNOWN, run(("unknown", None), pause="operator")),
    ],
)
def test_what_became_of_a_run(expected, found):
    assert of_run(found) is expected


def test_the_first_that_applies():
    told = {
        Exit.UNKNOWN: ("unknown", None),
        Exit.NO_ACCESS: ("refused", "FORBIDDEN"),
        Exit.STALE: ("skipped", "DRIFTED"),
        Exit.RATE_LIMITED: ("refused", "RATE_LIMITED"),
        Exit.PARTLY: ("skipped", "NOT_FOUND"),
    }
    order = [code for code in PRECEDENCE if code in told]
    assert [int(code) for code in PRECEDENCE] == [8, 3, 5, 7, 75, 1]
    for position, code in enumerate(order):
        assert of_run(run(*(told[one] for one in reversed(order[position:])))) is code


def test_every_error_has_a_code_and_every_code_a_meaning():
    assert set(BY_CODE) == set(ERRORS)
    assert of_error(CannotConnect("it does not answer")) is Exit.NO_ACCESS
    assert all(one.told.endswith(".") for one in Exit)
    assert {int(one) for one in Exit} == {0, 1, 2, 3, 4, 5, 7, 8, 9, 70, 75, 130, 141}
