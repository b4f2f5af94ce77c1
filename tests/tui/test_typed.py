"""What was pasted never becomes keys, whatever is in it and however it arrives."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from tui_app.tui.typed import END, INSTEAD, START, PasteGuard

CONFIRMING = "\x1b yes\x01\x04\r"
"""What confirmed a run: keys come out of it where a parser looks for them inside a paste."""

PASTES = st.text(st.sampled_from("\x1b[201~ yesx\r\n\x01\x9bé"), max_size=60)


def parsed(*parts: str) -> list[events.Event]:
    guard, parser = PasteGuard(), XTermParser()
    return [event for part in parts if (safe := guard.passed(part)) for event in parser.feed(safe)]


def split(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(edges) if start < end]


def test_without_the_guard_a_paste_presses_keys():
    found = [event.key for event in XTermParser().feed(START + CONFIRMING + END) if isinstance(event, events.Key)]
    assert "enter" in found


@given(PASTES, st.lists(st.integers(0, 200), max_size=6))
@example(CONFIRMING, [])
@example("a" + END + "yes\r", [])
@example("a" + START + "b", [8])
@example("\x1b", [7])
def test_a_paste_is_one_paste_and_no_key(pasted: str, cuts: list[int]):
    found = parsed(*split(START + pasted + END, cuts))
    assert not [event for event in found if isinstance(event, events.Key)]
    [paste] = [event for event in found if isinstance(event, events.Paste)] or [events.Paste("")]
    assert paste.text == pasted.partition(END)[0].replace("\x1b", INSTEAD)


@given(st.lists(st.integers(0, 200), max_size=6))
def test_what_is_typed_before_a_paste_arrives_and_what_follows_at_once_does_not(cuts: list[int]):
    found = parsed(*split(f"ab{START}cd{END}yes\r", cuts))
    assert [event.key if isinstance(event, events.Key) else event.text for event in found] == ["a", "b", "cd"]


def test_keys_count_again_after_a_silence():
    guard = PasteGuard()
    guard.passed(START + "a" + END)
    assert guard.passed("x") == ""
    guard.quiet()
    assert guard.passed("x") == "x"


@pytest.mark.parametrize("keys", ["\x1b", "\x1b[A", "\x1b[<0;1;1M", "é", "\x1b[20", "\x1b[200"])
def test_what_is_typed_passes_at_once_and_as_it_is(keys: str):
    assert PasteGuard().passed(keys) == keys
