"""What an operator types as a filter is understood as it was meant, or refused with the nearest filter that is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import Filter, Op, Term, check_filter, parse

FIELDS = frozenset({"status", "error_code", "type", "attempts"})
CLOSED = {"status": ("PENDING", "CANCELED", "IN_TROUBLESHOOTING_QUEUE")}


def refusal(text: str) -> MalformedFilter:
    with pytest.raises(MalformedFilter) as caught:
        check_filter(parse(text), FIELDS, CLOSED)
    return caught.value


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("error_code=X", "= is not an operator", "error_code:X"),
        ("!error_code=X", "= is not an operator", "error_code:X"),
        ("error_code==X", "== is not an operator", "error_code:X"),
        ("error_code!=X", "!= is not an operator", "!error_code:X"),
        ("error_code~X", "~ is not an operator", "error_code:X"),
        ("error_code=~X", "=~ is not an operator", "error_code:X"),
        ("error_kode=X", "= is not an operator", "error_code:X"),
        ("Status=PENDING", "= is not an operator", "status:PENDING"),
        ("status:", "has no value", "CANCELED"),
        ("status: PENDING", "has no value", "status:VALUE"),
        ("attempts>=", "has no value", "attempts:VALUE"),
        ("type:=A", "has no value", "type:VALUE"),
        ("status = PENDING", "without a field", "field:value"),
        ("!!X", "without a field", "negates once"),
        ("!", "without a field", "negates once"),
        ("type:A OR type:B", "OR is not a word", "field:a,b"),
        ("type:A AND attempts>1", "AND is not a word", "joined by AND"),
        ("NOT type:A", "NOT is not a word", "! before a term"),
        ("type:A && type:B", "&& is not a word", "joined by AND"),
        ("status:CANCELLED", "status is never 'CANCELLED'", "Did you mean status:CANCELED?"),
        ("status:pending", "status is never 'pending'", "Did you mean status:PENDING?"),
        ("!status:PENDING,DONE", "status is never 'DONE'", "It can be: PENDING, CANCELED"),
        ("status>PENDING", "status has no order", "status:VALUE"),
        ("stat:PENDING", "there is no field 'stat'", "Did you mean 'status'?"),
        ("nothing_like:it", "there is no field", "Fields here: attempts, error_code, status, type."),
    ],
)
def test_filter_that_cannot_be_meant_is_refused_with_the_nearest(text: str, says: str, hint: str) -> None:
    error = refusal(text)
    assert says in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "status:PENDING,CANCELED",
        "!status:PENDING",
        "attempts>=2 attempts<9",
        "timeout",
        '"error_code=X"',
        '"OR"',
        '"status:"',
        "or",
        "a=b",
        "k~v",
        "42!",
    ],
)
def test_filter_that_can_be_meant_is_taken(text: str) -> None:
    check_filter(parse(text), FIELDS, CLOSED)


def test_quoted_text_is_searched_and_stays_quoted_in_its_text_form() -> None:
    wanted = parse('"error_code=X" "OR" "status:"')
    assert [term.values for term in wanted.terms] == [("error_code=X",), ("OR",), ("status:",)]
    check_filter(parse(str(wanted)), FIELDS, CLOSED)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t"), min_size=1, max_size=12) | st.sampled_from(
    ["AND", "OR", "NOT", "&&", "a=b", "status=X", "status:", "!x", "~", "=", "x!="]
)
TERMS = st.builds(
    lambda text, name, negated: Term(name, Op.TEXT if not name else Op.ANY, (text,), negated),
    TEXTS,
    st.sampled_from(["", "type", "error_code"]),
    st.booleans(),
)


@given(st.lists(TERMS, max_size=4).map(lambda terms: Filter(tuple(terms))))
def test_text_form_of_any_filter_parses_to_it_and_is_never_refused(wanted: Filter) -> None:
    again = parse(str(wanted))
    assert again == wanted
    check_filter(again, FIELDS, CLOSED)


def test_field_with_an_open_list_takes_any_value() -> None:
    check_filter(parse("status:triage"), FIELDS, {})


def test_unchecked_filter_would_match_other_rows() -> None:
    """The broken variant: what these filters select where nothing checks them."""
    rows = [{"status": "PENDING"}, {"status": "CANCELED"}]

    def matches(row: dict[str, str], term: Term) -> bool:
        found = term.values[0] in row.values() if term.op is Op.TEXT else row.get(term.field) in term.values
        return found is not term.negated

    def selected(text: str) -> int:
        return sum(all(matches(row, term) for term in parse(text).terms) for row in rows)

    assert (selected("!status=PENDING"), selected("!status:PENDING")) == (2, 1)
    assert (selected("status:PENDNG"), selected("status:PENDING")) == (0, 1)
