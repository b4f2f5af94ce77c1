"""Numbers in sentences."""

import pytest

from tui_app.domain.counting import counted
from tui_app.domain.errors import AboveCap, CountDiffers, InvalidReason
from tui_app.domain.plan import check_cap, check_count
from tui_app.domain.reasons import check_reason


@pytest.mark.parametrize(
    ("count", "forms", "said"),
    [
        (0, ("item",), "0 items"),
        (1, ("item",), "1 item"),
        (2, ("item",), "2 items"),
        (12431, ("item",), "12,431 items"),
        (1, ("entry", "entries"), "1 entry"),
        (1000, ("entry", "entries"), "1,000 entries"),
    ],
)
def test_one_is_one_and_all_others_are_many(count, forms, said):
    assert counted(count, *forms) == said


@pytest.mark.parametrize(
    ("check", "error", "said"),
    [
        (lambda: check_reason("x"), InvalidReason, "the reason has 1 character; at least 3"),
        (lambda: check_count(1, 3, 2), CountDiffers, "expected 1 item, the plan has 3: 2 can be done, 1 are blocked"),
        (lambda: check_cap(1, 0), AboveCap, "1 item is above the cap of 0"),
        (lambda: check_cap(30, 20), AboveCap, "30 items are above the cap of 20"),
    ],
)
def test_what_is_refused_is_counted_so(check, error, said):
    with pytest.raises(error, match=said):
        check()
