"""Plans and runs as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from tui_app.client.lasting import lasting
from tui_app.client.progress import held_up, so_far
from tui_app.domain import moments
from tui_app.domain.advice import WHAT_TO_DO, gone, held, whose
from tui_app.domain.counting import counted
from tui_app.domain.describe import Verb
from tui_app.domain.plan import with_hash
from tui_app.domain.run import ItemState, Verified

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanItemModel, PlanModel
    from tui_app.contract.runs import RunItemModel, RunModel

YOURS = "(the reason that you give)"

_DONE = {Verb.CANCEL: "cancelled", Verb.REINSTATE: "reinstated"}


def done_word(verb: str) -> str:
    """What an item is after a verb: cancelled, reinstated."""
    return _DONE[Verb(verb)]


def now() -> datetime:
    """The present moment, for what is told of the time that is left."""
    return datetime.now(UTC)


def plan_lines(
    plan: PlanModel,
    blocked: Mapping[str, Sequence[PlanItemModel]] = MappingProxyType({}),
    *,
    notify: bool = True,
    reason: str | None = None,
) -> Iterator[str]:
    """A plan in lines, under the choice whether stakeholders are told, and of what.

    ``blocked`` holds the first blocked items of each code.
    """
    counts, word = plan.counts, done_word(plan.verb)
    yield f"plan {with_hash(plan.id, plan.hash)}: {plan.selection}"
    yield from _claim(plan)
    yield f"  {counts.items:,} in the plan, {counts.cancellable:,} will be {word}, {counts.blocked:,} blocked"
    yield from _gone(plan)
    if plan.waiting is not None:
        yield f"  read again: {held_up(plan)}"
    for line in plan.blocked:
        yield f"  blocked: {line.count:,} {line.code}"
        named = blocked.get(line.code, ())
        yield from (f"    {item.system} {item.id}: {item.reason or line.code}" for item in named)
        if named and line.count > len(named):
            yield f"    and {line.count - len(named):,} more; --output json names all"
    if plan.needs_again:
        yield f"  {counted(plan.needs_again, 'item was', 'items were')} cancelled before: --again plans them, too"
    yield from (f"  {line}" for line in urgent(plan))
    for effect in plan.summary or plan.impact:
        withheld = effect.notifies and not notify
        mark = "irreversible: " if effect.irreversible else "warning: " if effect.warning else ""
        yield f"  {'not done, with --no-notify: ' if withheld else mark}{effect.text}"
    if notify:
        yield from _notices(plan, reason or plan.reason or YOURS)
    if plan.reason:
        yield f"  proposed reason: {plan.reason}"
    yield f"  expires {plan.expires_at}"


def unmade_lines(plan: PlanModel, resume: str) -> Iterator[str]:
    """A plan that is being made, was left unfinished or could not be made.

    ``resume`` is the command line that goes on with it, told where nobody makes it.
    """
    yield f"plan {plan.id}: {plan.selection}"
    if plan.error is not None:
        yield f"  it could not be made: {plan.error}"
    elif plan.interrupted:
        yield f"  interrupted, nobody makes it: {so_far(plan)}; go on with: {resume}"
    else:
        yield f"  being made: {held_up(plan) or so_far(plan)}"
    yield from _gone(plan)
    yield from _claim(plan)
    if plan.claimed_by is None:
        yield f"  begun by {plan.operator} at {plan.created_at}"


def _claim(plan: PlanModel) -> Iterator[str]:
    """Of a plan that came as a file: who brought it, and what only the file says."""
    if plan.claimed_by is not None:
        yield f"  brought by {plan.operator}; the file says that {plan.claimed_by} made it at {plan.created_at}"


def _gone(told: PlanModel | RunModel) -> Iterator[str]:
    """That some of its systems have left the profile."""
    if told.missing:
        yield f"  {gone(told.missing)}: put it back to go on, to verify or to undo"


def urgent(plan: PlanModel) -> Iterator[str]:
    """When it is too late for the first of its items, and how long it takes, where there is such a thing."""
    if plan.soonest is not None:
        what = "is due" if plan.verb == Verb.CANCEL else "window closes"
        yield f"the first {what} {plan.soonest} ({moments.ahead(plan.soonest, now())})"
    takes = lasting(plan)
    if takes is not None:
        yield takes


def withheld(plan: PlanModel) -> Iterator[str]:
    """What does not happen where nobody is to be told."""
    for effect in plan.summary or plan.impact:
        if effect.notifies:
            yield f"not done, with --no-notify: {effect.text}"


def _notices(plan: PlanModel, reason: str) -> Iterator[str]:
    """The texts that people read, where somebody does."""
    if not any(effect.notifies for effect in plan.impact):
        return
    for system, text in plan.notices.items():
        if system in plan.by_system:
            yield f"  who is notified of {system} reads:"
            yield from (f"    {line}" for line in text.replace("{reason}", reason).splitlines())


def numbers(run: RunModel) -> str:
    """The six numbers of a run."""
    return " · ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in run.counts.items())


def run_lines(run: RunModel, resume: str = "") -> Iterator[str]:
    """A run in lines; the head of the ledger last, to be kept elsewhere.

    ``resume`` is the command line that goes on with it, told where nobody works on it.
    """
    verb = "" if run.verb == Verb.CANCEL else f", an undo ({run.verb})"
    go_on = f", nobody works on it; go on with: {resume}" if run.interrupted and resume else ""
    yield f"run {run.id} of plan {with_hash(run.plan, run.plan_hash)}{verb}: {run.standing}{go_on}"
    yield f"  {numbers(run)}"
    yield from _gone(run)
    if run.halted and run.waiting:
        yield f"  pending: {' · '.join(f'{number:,} {words}' for words, number in run.waiting.items())}"
    verified = run.verified
    yield (
        f"  verified: {verified.yes:,} yes · {f'{verified.undone:,} undone · ' if verified.undone else ''}"
        f"{verified.contradicted:,} contradicted · "
        f"{verified.not_known:,} not known · {verified.pending:,} not yet"
    )
    for line in run.outcomes:
        if line.code is not None:
            yield f"  {line.state.replace('_', ' ')}: {line.count:,} {line.code}"
    if run.stopping:
        yield f"  {stopping(run)}"
    elif run.stopped_by is not None:
        yield f"  stopped by {run.stopped_by}"
    if run.pause is not None:
        yield f"  paused by {run.pause.cause}: {run.pause.message or ''}".rstrip(": ")
    yield from (f"  {line}" for line in (*waits(run), *_clock(run), *_undo(run)))
    yield f"  by {run.operator}: {run.reason}"
    if run.head is not None:
        yield f"  ledger head {run.head}"


def not_done_lines(kind: str, items: Sequence[RunItemModel], number: int, report: str) -> Iterator[str]:
    """Some items that were not done or are in doubt, as ``kind`` says: why, and what to do.

    ``number`` is how many there are, and ``report`` what names all of them.
    """
    name = kind.replace("_", " ")
    for item in items:
        if kind in (Verified.CONTRADICTED, Verified.NOT_KNOWN, Verified.UNDONE):
            why = item.note or ("the system says otherwise" if kind == Verified.CONTRADICTED else "nothing tells")
        elif kind == ItemState.ALREADY_CANCELLED:
            why = whose(item.ours, item.by)
        elif kind == ItemState.UNKNOWN:
            why = item.message or item.code or "no answer"
        else:
            why = ": ".join(part for part in (item.code, item.message) if part) or "no reason given"
        yield f"  {name}: {item.system} {item.id}: {why}"
    if number:
        yield f"  {WHAT_TO_DO[kind]}"
    if number > len(items):
        yield f"  {number - len(items):,}{' more' if items else ''} are {name}; all of them: {report}"


def stopping(run: RunModel) -> str:
    """Who has stopped a run that is not over, and what is left to be done with it."""
    left = run.counts.get("pending", 0)
    settle = f"; {left:,} still to be settled by looking" if left else ""
    return f"stopped by {run.stopped_by}: nothing more is sent{settle}"


def waits(run: RunModel) -> Iterator[str]:
    """The systems that do not answer, take nothing more from us for a while, or get nothing at our own rate."""
    present = now()
    if run.held is not None:
        yield held(run.held)
    for system, since in () if run.over else run.silent.items():
        begun = moments.known(since)
        if begun is not None:
            yield f"{system}: no answer for {moments.span((present - begun).total_seconds())}"
    for system, until in () if run.over else run.gates.items():
        opens = moments.known(until)
        seconds = 0.0 if opens is None else (opens - present).total_seconds()
        if seconds > 0 and system in run.paced:
            yield f"{system} is sent to again in {moments.span(seconds)} (rate {run.paced[system]})"
        elif seconds > 0:
            yield f"{system} takes nothing more for {moments.span(seconds)}"


def _clock(run: RunModel) -> Iterator[str]:
    """That the clock of the host was set while the run was under way, so that its times do not add up."""
    if run.clock is not None:
        yield f"{run.clock} while this run was under way: its times before and after do not add up"


def _undo(run: RunModel) -> Iterator[str]:
    """What of a run can be brought back, and how long that is so."""
    if run.undo is None:
        return
    present, many = now(), counted(run.undo.items, "item")
    first, last = moments.known(run.undo.first_closes), moments.known(run.undo.last_closes)
    if first is None or last is None:
        yield f"can be undone: {many}; until when is not known"
        return
    told_first, told_last = (
        f"{moments.stamp(one)} ({moments.ahead(moments.stamp(one), present)})" for one in (first, last)
    )
    if last <= present:
        yield f"could be undone: {many}, until {told_last}"
    elif (last - first).total_seconds() < 1:
        yield f"can be undone: {many}, until {told_last}"
    else:
        word = "closed" if first <= present else "closes"
        yield f"can be undone: {many}; the first window {word} at {told_first}, the last closes at {told_last}"
