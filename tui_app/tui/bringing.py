"""Ids that the operator brings: named after ``:ids``, or pasted into the table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tui_app.tui.notices import Notice
from tui_app.tui.screens.choose import Choose
from tui_app.tui.text import counted, phrase, safe

if TYPE_CHECKING:
    from textual.content import Content

    from tui_app.contract.models import MalformedModel, SystemModel
    from tui_app.tui.screens.items import ItemsScreen

NAMED = 5
"""Malformed ids, and words that may be none, that are named at most; the others are counted."""


def ids_in(text: str) -> list[str]:
    """What stands for ids in a text: its words, apart by spaces, commas or lines."""
    return text.replace(",", " ").split()


def looks_like_id(word: str, pattern: str) -> bool:
    """Whether a word looks like an id; every word does where the pattern is none, as one of a later version may be."""
    try:
        return not pattern or re.fullmatch(pattern, word) is not None
    except re.error:
        return True


def doubted(text: str, pattern: str) -> list[str]:
    """The words of a text that may be no ids: by how ids look, or as one between two such words in its line."""
    found: dict[str, None] = {}
    for line in text.splitlines():
        words = ids_in(line)
        odd = [not looks_like_id(word, pattern) for word in words]
        for at, word in enumerate(words):
            between = 0 < at < len(words) - 1 and odd[at - 1] and odd[at + 1]
            if odd[at] or between:
                found[word] = None
    return list(found)


async def bring(screen: ItemsScreen, system: SystemModel, text: str) -> None:
    """Mark the ids in a text, shown or not.

    Words that may be none are asked about before, and those that can be none are named and never marked.
    """
    app = screen.quash
    odd = doubted(text, system.id_pattern)
    sure = [word for word in ids_in(text) if word not in odd]
    items = screen.client.items
    found = await items.check_ids(system.system, sure) if sure else None
    ids, malformed = (found.ids, found.malformed) if found else ([], [])
    if odd:
        maybe = await items.check_ids(system.system, odd)
        malformed = [*malformed, *maybe.malformed]
        ids = [*ids, *await _meant(screen, system, ids, maybe.ids)]
    app.drop_notice()
    if ids:
        screen.marking.mark_ids(ids)
        brought, marked = counted(len(ids), "id"), screen.table.marks.count
        app.say(phrase("{} brought, {} marked; {} reviews them.", brought, marked, app.key_of("review")))
    if malformed:
        app.notice = Notice("warning", _malformed(malformed, system), lasts=True)


async def _meant(screen: ItemsScreen, system: SystemModel, sure: Sequence[str], maybe: Sequence[str]) -> list[str]:
    """Those of the words that the operator means as ids: none, those that look like ids, or all."""
    if not maybe:
        return []
    words, one, named = counted(len(maybe), "word"), safe(system.one, 40), phrase(", ").join(_named(maybe))
    like = [word for word in maybe if looks_like_id(word, system.id_pattern)]
    if like == list(maybe):
        title = phrase("{} in a sentence, which may not be meant as id of a {}: {}.", words, one, named)
    else:
        example = safe(system.id_example, 60)
        title = phrase("{} may be no id of a {}: {}. An id looks like {}.", words, one, named, example)
    # The safe answer stands first, so that enter pressed in a hurry marks nothing that is in doubt.
    leave = f"Leave them out, and mark the other {len(sure):,}" if sure else "Leave them out"
    take = f"Mark them, too: {len(sure) + len(maybe):,} in all"
    answers = {leave: [], take: list(maybe)}
    if like and like != list(maybe):
        answers = {
            leave: [],
            f"Mark those that look like ids: {len(sure) + len(like):,} in all": like,
            take: list(maybe),
        }
    chosen = await screen.app.push_screen_wait(Choose(title, list(answers)))
    return answers.get(chosen or leave, [])


def _named(words: Sequence[str]) -> Iterator[Content]:
    yield from (safe(repr(word), 60) for word in words[:NAMED])
    if len(words) > NAMED:
        yield phrase("{} more", len(words) - NAMED)


def _malformed(malformed: Sequence[MalformedModel], system: SystemModel) -> Content:
    return phrase(
        "Not marked, since no {} has such an id: {}. An id looks like {}.",
        safe(system.one, 40),
        phrase(", ").join(_named([one.id for one in malformed])),
        safe(system.id_example, 60),
    )
