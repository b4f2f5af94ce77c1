"""How numbers are said."""

import pytest

from tui_app.contract.models import TrailModel
from tui_app.domain.items import Selection
from tui_app.glyphs import Glyphs
from tui_app.tui.preview_text import trail_lines
from tui_app.tui.text import counted
from tui_app.tui.widgets.run_detail import _trail


@pytest.mark.parametrize(("count", "said"), [(0, "0 items"), (1, "1 item"), (12_431, "12,431 items")])
def test_a_number_and_what_it_counts_agree(count, said):
    assert counted(count, "item", "items").plain == said


@pytest.mark.parametrize(("ids", "said"), [(("a",), "commands: 1 id"), (("a", "b"), "commands: 2 ids")])
def test_a_selection_of_one_is_of_one_id(ids, said):
    assert str(Selection("commands", ids)) == said


@pytest.mark.parametrize("draw", ["panel", "run"])
def test_the_details_of_a_trail_are_json_and_not_ours(draw):
    details = {"downstream": {"acted": False, "by": None}, "notify": True, "notes": "a note"}
    entry = TrailModel(at="2026-01-02T03:04:05Z", event="CASE_CANCELLED", actor=None, details=details)
    drawn = trail_lines([entry], Glyphs(utf8=False)) if draw == "panel" else _trail([entry], "")
    text = "\n".join(line.plain for line in drawn)
    for told in ('downstream: {"acted":false,"by":null}', "notify: true", "notes: a note"):
        assert told in text
