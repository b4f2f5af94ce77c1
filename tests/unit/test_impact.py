"""What a plan does, in few lines."""

from tui_app.domain.verdict import Effect, EffectWords, Tally
from tui_app.service.impact import MOST, effects_line, summary

WORDS = {
    "TOLD": EffectWords("{target} is told", "{count} notifications to {target}", notifies=True),
    "ENDS": EffectWords("its workflow {target} ends", "{count} workflows end: {target}"),
    "HEED": EffectWords("it is queued", "{count} are queued", warning=True),
    "LAST": EffectWords("it cannot be brought back", "{count} cannot be brought back", irreversible=True),
}


def told(*effects: tuple[str, str, int]) -> list[str]:
    rows = [(Effect(code, target), count) for code, target, count in effects]
    lines = [effects_line(effect, WORDS.get(effect.code), count, 100) for effect, count in rows]
    return [line.text for line in summary(rows, lines, WORDS)]


def people(number: int) -> list[tuple[str, str, int]]:
    return [("TOLD", f"p{one:02}", 1) for one in range(number)]


def test_what_matters_comes_first_and_then_what_is_about_the_most_items():
    effects = [("ENDS", "slides", 3), ("TOLD", "jane", 7), ("HEED", "", 2), ("LAST", "", 1), ("ENDS", "blocks", 9)]
    assert told(*effects) == [
        "one of them: it cannot be brought back",
        "2 are queued",
        "9 workflows end: blocks",
        "7 notifications to jane",
        "3 workflows end: slides",
    ]


def test_many_targets_of_one_effect_are_one_line():
    assert told(*people(42), ("ENDS", "slides", 3)) == [
        "42 notifications to p00, p01, p02 and 39 more",
        "3 workflows end: slides",
    ]
    assert len(told(*people(MOST))) == MOST
    assert len(told(*people(MOST + 1))) == 1


def test_where_targets_are_no_longer_told_apart_their_number_is_a_least_one():
    assert told(*people(9), ("TOLD", Tally.OTHERS, 50)) == ["59 notifications to p00, p01, p02 and at least 7 more"]


def test_an_effect_without_words_keeps_its_lines():
    assert len(told(*[("STRANGE", str(one), 1) for one in range(9)])) == 9
