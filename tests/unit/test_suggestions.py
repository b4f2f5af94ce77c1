"""A word that is not known is answered with the one that was meant, by one rule wherever words are written."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tui_app.config import reading
from tui_app.config.places import Named
from tui_app.domain.errors import MalformedFilter, QuashError, UsageProblem
from tui_app.domain.filters import LONGEST_GUESS, check_filter, nearest_of, parse
from tui_app.domain.ledger import check_event
from tui_app.systems.cases.dialects import read_methods, read_paths
from tui_app.systems.cases.plug import CasesSettings
from tui_app.tui.keymap import Keymap
from tui_app.tui.themes import check_theme


def _profile(word: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(f"[profiles.a]\n{word} = 1\n")
        file.flush()
        reading.load(Named(Path(file.name)), {"cases": CasesSettings})


# Each takes a word that it does not know; with it, a word in other letters, and the one that is meant.
PLACES: dict[str, tuple[Callable[[str], object], str, str]] = {
    "keys of a profile": (_profile, "ENVIROMENT", "environment"),
    "actions of the keymap": (lambda word: Keymap({word: "X"}), "REVIW", "review"),
    "themes": (check_theme, "Quash-Drak", "quash-dark"),
    "paths of a dialect": (lambda word: read_paths({word: "/x/{id}"}), "STATSU", "status"),
    "methods of a dialect": (lambda word: read_methods({word: "POST"}), "CANCLE", "cancel"),
    "events of the ledger": (check_event, "CANCELED", "cancelled"),
    "fields of a filter": (lambda word: check_filter(parse(f"{word}:x"), ["status"], {}), "STAT", "status"),
}


def _told(place: Callable[[str], object], word: str) -> str:
    with pytest.raises((UsageProblem, MalformedFilter, ValueError)) as caught:
        place(word)
    error = caught.value
    return f"{error} {error.hint}" if isinstance(error, QuashError) else str(error)


@pytest.mark.parametrize("name", PLACES)
def test_what_was_meant_is_found_in_any_case(name: str) -> None:
    place, word, meant = PLACES[name]
    assert meant in _told(place, word).replace(word, "")


@pytest.mark.parametrize("name", PLACES)
def test_nothing_is_guessed_for_a_word_that_is_too_long(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> list[str]:
        raise AssertionError("the work grows with the letters")

    monkeypatch.setattr("difflib.get_close_matches", never)
    place, _, meant = PLACES[name]
    word = (meant * LONGEST_GUESS)[: LONGEST_GUESS + 1]
    assert "id you mean" not in _told(place, word)


def test_several_are_named_likeliest_first() -> None:
    assert nearest_of("CANCELED", ["cancel", "cancelled", "resume"], 2) == ["cancelled", "cancel"]
