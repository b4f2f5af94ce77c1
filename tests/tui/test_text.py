"""How numbers are said."""

import pytest

from tui_app.domain.items import Selection
from tui_app.tui.text import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 items"), (1, "1 item"), (12_431, "12,431 items")])
def test_a_number_and_what_it_counts_agree(count, said):
    assert counted(count, "item", "items").plain == said


@pytest.mark.parametrize(("ids", "said"), [(("a",), "commands: 1 id"), (("a", "b"), "commands: 2 ids")])
def test_a_selection_of_one_is_of_one_id(ids, said):
    assert str(Selection("commands", ids)) == said
