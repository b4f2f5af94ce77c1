"""Effects in words: one by one, and a plan's in as few lines as a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from tui_app.contract.models import ImpactLine
from tui_app.domain.verdict import Effect, EffectWords, Tally

MOST = 6
"""Lines of one effect; more targets than these share a line."""

NAMED = 3
"""Targets that such a line names."""


def _line(effect: Effect, words: EffectWords | None, text: str, count: int) -> ImpactLine:
    return ImpactLine(
        code=effect.code,
        text=text,
        count=count,
        irreversible=words is not None and words.irreversible,
        warning=words is not None and words.warning,
        notifies=words is not None and words.notifies,
    )


def _said(template: str, effect: Effect, count: int) -> str:
    # The template is ours; a target is a system's text, and is put in as it is.
    return template.format(target=effect.target, count=f"{count:,}")


def effect_line(effect: Effect, words: EffectWords | None) -> ImpactLine:
    """One effect on one item; an effect without words shows its code."""
    text = f"{effect.code} {effect.target}".rstrip() if words is None else _said(words.one, effect, 1)
    return _line(effect, words, text, 1)


def effects_line(effect: Effect, words: EffectWords | None, count: int, items: int) -> ImpactLine:
    """One effect on some of the items of a plan."""
    if count == 1:
        line = effect_line(effect, words)
        return line if items == 1 else line.model_copy(update={"text": f"one of them: {line.text}"})
    text = f"{count:,} × {effect.code} {effect.target}".rstrip() if words is None else _said(words.many, effect, count)
    return _line(effect, words, text, count)


def summary(
    effects: Sequence[tuple[Effect, int]], impact: Sequence[ImpactLine], words: Mapping[str, EffectWords]
) -> list[ImpactLine]:
    """What matters first: what cannot be undone, what to take care of, then by how many items it is about.

    ``impact`` are the lines of the ``effects``, in the same order. An effect on many targets is one line.
    """
    told: list[ImpactLine] = []
    rows = sorted(zip(effects, impact, strict=True), key=lambda row: row[1].code)
    for code, of_code in groupby(rows, key=lambda row: row[1].code):
        found = list(of_code)
        said = words.get(code)
        if len(found) <= MOST or said is None:
            told += [line for _, line in found]
        else:
            told.append(_folded([effect for effect, _ in found], said))
    return sorted(told, key=lambda line: (not line.irreversible, not line.warning, -line.count))


def _folded(effects: Sequence[tuple[Effect, int]], words: EffectWords) -> ImpactLine:
    targets = [effect.target for effect, _ in effects if effect.target != Tally.OTHERS]
    # Past its limit a tally no longer tells targets apart.
    least = "at least " if len(targets) < len(effects) else ""
    more = len(effects) - NAMED
    shared = Effect(effects[0][0].code, f"{', '.join(targets[:NAMED])} and {least}{more:,} more")
    count = sum(number for _, number in effects)
    return _line(shared, words, _said(words.many, shared, count), count)
