"""Marks as a value, without a screen."""

import pytest

from tui_app.tui.widgets.marks import Everything, Marks, of_ids, same_value

ALL = Everything("status:A", "2026-01-01T00:00:00.000000Z", 10_000_000)


def test_marks_one_by_one():
    marks = Marks().turned("a", member=False).turned("b", member=False).turned("a", member=False)
    assert (marks.count, list(marks.ids)) == (1, ["b"])
    assert marks.selections("commands") == [{"system": "commands", "ids": ["b"]}]


def test_everything_is_a_filter_and_what_is_taken_out_of_it():
    marks = Marks().with_everything(ALL, frozenset()).turned("a", member=True)
    assert marks.count == 9_999_999
    assert not marks.holds("a", member=True)
    assert marks.holds("b", member=True)
    assert not marks.holds("late", member=False)
    [selection] = marks.selections("commands")
    assert selection == {"system": "commands", "filter": "status:A", "as_of": ALL.as_of, "excluded": ["a"]}
    assert marks.turned("a", member=True).selections("commands")[0]["excluded"] == []


def test_an_id_that_the_filter_holds_counts_once():
    marks = Marks().with_ids(["a", "x"]).with_everything(ALL, frozenset({"a"}))
    assert (marks.count, list(marks.ids)) == (10_000_001, ["x"])


def test_two_filters_count_exactly_only_where_nothing_can_be_in_both():
    base = Marks().with_everything(Everything("code:A", "t", 3), frozenset())
    assert base.with_everything(Everything("code:B", "t", 4), frozenset()).exact
    assert not base.with_everything(Everything("type:B", "t", 4), frozenset()).exact
    assert not base.with_everything(Everything("!code:B", "t", 4), frozenset()).exact


def test_the_same_filter_again_is_not_marked_twice():
    later = Everything(ALL.filter, "later", 5)
    marks = Marks().with_everything(ALL, frozenset()).without("a", member=True).with_everything(later, frozenset())
    assert (marks.count, marks.whole, marks.excluded) == (5, (later,), frozenset())


def test_a_range_takes_in_again_what_was_taken_out():
    marks = Marks().with_everything(ALL, frozenset()).without("a", member=True)
    assert marks.with_ids(["a", "b"], frozenset({"a", "b"})).count == ALL.count


def test_inverting_twice_is_nothing():
    marks = Marks().with_ids(["a", "hidden"])
    inverted = marks.inverted(ALL, frozenset({"a"}))
    assert inverted is not None
    assert inverted.excluded == {"a"}
    assert list(inverted.ids) == ["hidden"]
    again = inverted.inverted(ALL, frozenset())
    assert again is not None
    assert set(again.ids) == {"a", "hidden"}
    assert not again.whole


def test_several_filters_cannot_be_inverted():
    marks = Marks().with_everything(Everything("code:A", "t", 3), frozenset())
    assert marks.inverted(ALL, frozenset()) is None


@pytest.mark.parametrize(
    ("base", "value", "expected"),
    [
        ("", "A", "code:A"),
        ("status:X", "two words", 'status:X code:"two words"'),
        ("code:A status:X", "A", "code:A status:X"),
        ("code:A,B", "A", "code:A,B code:A"),
    ],
)
def test_the_same_value_within_the_filter(base, value, expected):
    assert same_value(base, "code", value) == expected


def test_ids_are_quoted_as_filters_need():
    from tui_app.domain.filters import parse

    ids = ["payments/a[/]b", 'with "quotes" and, commas', "plain"]
    [term] = parse(of_ids("id", ids)).terms
    assert list(term.values) == ids
