"""Domain values as models of the wire, with the words that each system's description has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from tui_app.contract.ledger import LedgerLine
from tui_app.contract.models import (
    ColumnModel,
    ItemModel,
    PreviewModel,
    SectionModel,
    SystemModel,
    TrailModel,
    VerdictModel,
)
from tui_app.contract.plans import BlockedLine, DriftModel, PaceModel, PlanCountsModel, PlanItemModel, PlanModel
from tui_app.contract.runs import (
    OptionsModel,
    OutcomeLine,
    PauseModel,
    RunItemModel,
    RunModel,
    UndoModel,
    VerifiedModel,
)
from tui_app.domain.describe import Description, Verb
from tui_app.domain.items import Item
from tui_app.domain.legible import reading
from tui_app.domain.plan import PlanItem, PlanState, expected_phrase
from tui_app.domain.ports import Preview, System, TrailEntry
from tui_app.domain.rates import Rate
from tui_app.domain.records import LedgerRow, PlanRecord, RunItem, RunRecord
from tui_app.domain.run import EFFECTIVE, OVER, RunCounts, Verified
from tui_app.domain.verdict import UNLESS_MEANT, Effect, EffectWords, Verdict
from tui_app.service.backend import Facts
from tui_app.service.impact import effect_line, effects_line, summary


def system_model(description: Description, id_pattern: str | None = None) -> SystemModel:
    """How a system describes itself; ``id_pattern`` is what the profile says in its place of how ids look."""
    return SystemModel(
        system=description.system,
        title=description.title,
        one=description.one,
        many=description.many,
        id_example=description.id_example,
        id_pattern=description.id_pattern if id_pattern is None else id_pattern,
        columns=[ColumnModel.model_validate(column) for column in description.columns],
        default_sort=str(description.default_sort),
        default_filter=str(description.default_filter),
        statuses=list(description.statuses),
        status_tones=dict(description.status_tones),
        filterable=sorted(description.filterable),
        closed_values={name: list(values) for name, values in description.closed_values.items()},
        untold=dict(description.untold),
        verbs=[verb.value for verb in description.verbs],
        reason_templates=list(description.reason_templates),
        reason_goes_to=description.reason_goes_to,
        deadline=description.deadline,
        notice=description.notice,
        lists=description.lists,
    )


def verdict_model(verdict: Verdict) -> VerdictModel:
    """A verdict."""
    return VerdictModel(
        cancellable=verdict.cancellable,
        code=None if verdict.code is None else verdict.code.value,
        reason=verdict.reason,
    )


def item_model(item: Item) -> ItemModel:
    """One row."""
    return ItemModel(
        system=item.system,
        id=item.id,
        status=item.status,
        verdict=verdict_model(item.verdict),
        fields=dict(item.fields),
    )


def preview_model(preview: Preview, description: Description) -> PreviewModel:
    """The verdict and impact of one item, in words."""
    lines = [effect_line(effect, description.effects.get(effect.code)) for effect in preview.effects]
    return PreviewModel(
        verdict=verdict_model(preview.verdict),
        impact=lines,
        warnings=list(preview.warnings),
        irreversible=any(line.irreversible for line in lines),
        sections=[SectionModel(title=one.title, lines=list(one.lines), detail=one.detail) for one in preview.sections],
    )


def trail_model(entry: TrailEntry) -> TrailModel:
    """One audit entry of a system."""
    return TrailModel(at=entry.at, event=entry.event, actor=entry.actor, details=dict(entry.details))


def vocabulary(described: Iterable[Description]) -> dict[str, EffectWords]:
    """The words of every effect. A plan's impact names effects by their code alone, whatever the system.

    Raises:
        ValueError: two systems use one code for different things.
    """
    words: dict[str, EffectWords] = {}
    for description in described:
        for code, said in description.effects.items():
            if words.setdefault(code, said) != said:
                raise ValueError(f"two systems use the effect {code} for different things")
    return words


def _paces(by_system: Mapping[str, int], rates: Mapping[str, Rate]) -> list[PaceModel]:
    return [
        PaceModel(system=name, items=items, rate=str(rate), seconds=rate.time_for(items).total_seconds())
        for name, items in by_system.items()
        if (rate := rates.get(name)) is not None and items > rate.items
    ]


def plan_model(plan: PlanRecord, systems: Iterable[System], facts: Facts, arrived: int | None = None) -> PlanModel:
    """A plan, made or in the making, in the words of its systems.

    Raises:
        LedgerBroken: the journal holds something else than a plan there.
    """
    with reading(f"plan {plan.id}"):
        return _plan_model(plan, systems, facts, arrived)


def _plan_model(plan: PlanRecord, systems: Iterable[System], facts: Facts, arrived: int | None) -> PlanModel:
    described = [system.description for system in systems]
    words = vocabulary(described)
    cancels = plan.head.verb is Verb.CANCEL
    notices = {one.system: one.notice for one in described if one.notice and cancels}
    totals = plan.totals
    counts = totals.get("counts") or {"items": plan.read, "cancellable": 0, "blocked": plan.read}
    read = _as_read(plan)
    effects = [(Effect(code, target), count) for code, target, count in read.get("impact") or ()]
    impact = [effects_line(effect, words.get(effect.code), count, counts["cancellable"]) for effect, count in effects]
    made = plan.state is PlanState.READY
    cancellable = counts["cancellable"] if made else 0
    # The head of a file is what its maker says; who brought it is what the journal knows.
    maker = plan.maker if plan.brought and plan.maker is not None else plan.head
    return PlanModel(
        id=plan.id,
        state=plan.state.value,
        verb=plan.head.verb.value,
        hash=plan.hash if made else None,
        counts=PlanCountsModel(**counts),
        read=plan.read,
        expected=plan.expected,
        by_system=dict(totals.get("by_system", {})),
        blocked=[
            BlockedLine(code=code, count=count)
            for code, count in sorted(totals.get("blocked", {}).items(), key=lambda row: (-row[1], row[0]))
        ],
        impact=impact,
        summary=summary(effects, impact, words),
        irreversible=any(line.irreversible for line in impact),
        phrase=expected_phrase(cancellable, facts.environment) if cancellable else None,
        reason=plan.reason,
        selection=f"a file that says: {plan.head.selection}" if plan.brought else plan.head.selection,
        undoes=plan.head.undoes,
        again=plan.head.again,
        needs_again=sum(totals.get("blocked", {}).get(code, 0) for code in UNLESS_MEANT),
        operator=maker.operator,
        host=maker.host,
        claimed_by=f"{plan.head.operator} on {plan.head.host}" if plan.brought else None,
        created_at=plan.head.created_at,
        expires_at=plan.head.expires_at,
        targets=dict(plan.head.targets),
        drift=None if plan.drift is None else DriftModel.model_validate(dict(plan.drift)),
        soonest=read.get("soonest"),
        paces=_paces(totals.get("by_system", {}), facts.rates),
        undo_seconds=read.get("undo_seconds"),
        impact_moved="impact" in totals and "impact" in read and read["impact"] != totals["impact"],
        notices=notices,
        arrived=arrived,
        run=plan.run,
        error=plan.error,
    )


def _as_read(plan: PlanRecord) -> Mapping[str, Any]:
    """Impact and deadlines of a plan: as they were when it was read again last, else as it was made.

    What a file says of them is nothing that anybody here has read.
    """
    again: Mapping[str, Any] | None = (plan.drift or {}).get("totals")
    if again is not None:
        return again
    return {} if plan.hash and plan.state is not PlanState.READY else plan.totals


def plan_item_model(item: PlanItem) -> PlanItemModel:
    """One frozen item."""
    with reading(f"item {item.seen.id}"):
        return _plan_item_model(item)


def _plan_item_model(item: PlanItem) -> PlanItemModel:
    verdict = item.seen.verdict
    return PlanItemModel(
        position=item.position,
        system=item.system,
        id=item.seen.id,
        status=item.seen.status,
        cancellable=verdict.cancellable,
        code=None if verdict.code is None else verdict.code.value,
        reason=verdict.reason,
        due=item.seen.due,
    )


def run_model(run: RunRecord, *, at_work: bool) -> RunModel:
    """A run with its numbers. ``at_work``: a runner is working now.

    Raises:
        LedgerBroken: the journal holds something else than a run there.
    """
    with reading(f"run {run.id}"):
        return _run_model(run, at_work)


def _run_model(run: RunRecord, at_work: bool) -> RunModel:
    verified = {kind: run.verified.get(kind, 0) for kind in Verified}
    done = sum(run.states.get(state, 0) for state in EFFECTIVE)
    codes = sorted(run.codes.items(), key=lambda row: (-row[1], row[0][0].value, row[0][1] or ""))
    return RunModel(
        id=run.id,
        plan=run.plan.id,
        plan_hash=run.confirmed.plan_hash,
        verb=run.plan.verb.value,
        state=run.state.value,
        wanted=None if run.wanted is None else run.wanted.value,
        pause=None
        if run.pause is None
        else PauseModel(cause=run.pause.cause.value, message=run.pause.message, until=run.pause.until),
        counts=RunCounts.of(run.states, run.items).named(run.plan.verb),
        items=run.items,
        verified=VerifiedModel(
            yes=verified[Verified.YES],
            undone=verified[Verified.UNDONE],
            contradicted=verified[Verified.CONTRADICTED],
            not_known=verified[Verified.NOT_KNOWN],
            pending=max(0, done - sum(verified.values())),
        ),
        outcomes=[OutcomeLine(state=state.value, code=code, count=count) for (state, code), count in codes],
        operator=run.principal,
        reason=run.confirmed.reason,
        options=OptionsModel.model_validate(run.confirmed.options),
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        attended=run.state in OVER or at_work,
        head=run.head,
        undo=None if run.undo is None else UndoModel(**asdict(run.undo)),
        gates=dict(run.gates),
        silent=dict(run.silent),
        paced=dict(run.paced),
        stopped_by=run.stopped_by,
        clock=run.clock,
    )


_TOLD = ("code", "message", "ours", "by", "before", "after", "undo_until")


def run_item_model(one: RunItem) -> RunItemModel:
    """One item of a run."""
    with reading(f"item {one.item.seen.id}"):
        return _run_item_model(one)


def _run_item_model(one: RunItem) -> RunItemModel:
    answer = None if one.outcome is None else one.outcome.answer
    told: dict[str, Any] = {}
    if answer is not None:
        told = {name: getattr(answer, name) for name in _TOLD}
    return RunItemModel(
        position=one.item.position,
        system=one.item.system,
        id=one.item.seen.id,
        state=one.state.value,
        key=one.key,
        verified=None if one.verification is None else one.verification.verified.value,
        note=None if one.verification is None else one.verification.note,
        sent_at=one.sent_at,
        at=one.at,
        **told,
    )


_NAMED = ("at", "event", "operator", "run", "plan", "system", "item", "code", "reason")


def ledger_line(row: LedgerRow) -> LedgerLine:
    """One line of the ledger; what has no column of its own stands in ``details``."""
    named = {name: row.facts.get(name) for name in _NAMED}
    rest = {name: value for name, value in row.facts.items() if name not in _NAMED}
    with reading(f"entry {row.seq}"):
        return LedgerLine(seq=row.seq, hash=row.hash, details=rest, **named)
