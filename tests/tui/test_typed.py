"""What was pasted never becomes keys, whatever is in it and however it arrives."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from tui_app.tui.typed import END, ESCAPE, ESCAPE_WAIT, INSTEAD, START, LineEnd, PasteGuard, TypedInput

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


SEQUENCES = ["\x1b[A", "\x1b[3~", "\x1b[1;2B", "\x1bOP", "\x1b[15;5~", "\x1b[<0;10;4M", "\x1b[27;2;13~", "\x1b[97;1u"]
"""Keys and mouse events of several characters, some of which are keys of the console by themselves."""


def keys(events_: list[object]) -> list[str]:
    return [event.key for event in events_ if isinstance(event, events.Key)]


class Bare:
    """Textual's parser by itself, whose time is over at each silence."""

    def __init__(self) -> None:
        self._parser = XTermParser()

    def feed(self, text: str) -> list[object]:
        return list(self._parser.feed(text))

    def silence(self) -> list[object]:
        if self._parser._timeout_time is not None:
            self._parser._timeout_time = 0.0
        return list(self._parser.tick())


def apart(stream: TypedInput | Bare, sequence: str, at: int) -> list[str]:
    """What is heard where the rest of a sequence comes late; every letter of it could be a key."""
    found = [*stream.feed(sequence[:at]), *stream.silence(), *stream.feed(sequence[at:]), *stream.silence()]
    return keys(found)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_that_comes_apart_presses_none_of_its_letters(sequence: str):
    whole = keys([*TypedInput().feed(sequence)])
    for at in range(1, len(sequence)):
        heard = apart(TypedInput(), sequence, at)
        assert heard == (["escape"] if at == 1 else whole), at


def test_without_the_guard_a_sequence_that_comes_apart_goes_to_another_place():
    assert apart(Bare(), "\x1b[3~", 1)[:3] == ["escape", "left_square_bracket", "3"]


@given(st.lists(st.tuples(st.sampled_from([*SEQUENCES, "x", "é", "yes"]), st.booleans()), max_size=6), st.data())
def test_keys_that_are_cut_anywhere_without_a_silence_are_the_same(typed: list[tuple[str, bool]], data: st.DataObject):
    text = "".join(one for one, _ in typed)
    cuts = data.draw(st.lists(st.integers(0, 60), max_size=5))
    stream = TypedInput()
    assert keys([event for part in split(text, cuts) for event in stream.feed(part)]) == keys(
        [*TypedInput().feed(text)]
    )


def test_escape_by_itself_is_the_key_after_a_silence():
    stream = TypedInput()
    assert keys([*stream.feed(ESCAPE)]) == []
    assert stream.wait == ESCAPE_WAIT
    assert keys([*stream.silence()]) == ["escape"]
    assert keys([*stream.feed("3")]) == ["3"]


def test_a_line_that_was_slow_once_is_given_more_time():
    stream = TypedInput()
    apart(stream, "\x1b[3~", 1)
    stream.feed(ESCAPE)
    [*stream.feed(ESCAPE)]
    assert stream.wait > ESCAPE_WAIT


@pytest.mark.parametrize(
    ("reads", "ends"),
    [
        (["reason\ryes\r"], [True, True]),
        (["reason\n"], [True]),
        (["yes", "\r"], [False]),
        (["\r"], [False]),
        (["\ryes\r"], [False, True]),
        (["\x1b[A\r"], [False]),
        (["\x1b[97;1u\x1b[13;1u"], [True]),
    ],
)
def test_only_a_line_end_behind_characters_of_its_read_is_one_that_may_be_pasted(reads: list[str], ends: list[bool]):
    stream = TypedInput()
    found = [event for read in reads for event in stream.feed(read)]
    assert [
        isinstance(event, LineEnd) for event in found if isinstance(event, events.Key) and event.key == "enter"
    ] == ends
