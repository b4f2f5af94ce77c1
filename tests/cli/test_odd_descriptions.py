"""``list`` over systems that describe themselves oddly: each row has its id, and a title only stands there."""

import io
import sys

import pytest

from support.odd_descriptions import ODD
from tui_app.contract.models import ColumnModel
from tui_app.domain.visible import visible
from tui_app.service import about


@pytest.fixture(params=ODD)
def odd(request, bus, monkeypatch):
    """The service tells its clients of a table like this."""
    described, columns = about.system_model, [ColumnModel(**column) for column in ODD[request.param]]
    monkeypatch.setattr(about, "system_model", lambda *told: described(*told).model_copy(update={"columns": columns}))
    return request.param


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_odd_description_is_listed(odd, quash, bus, monkeypatch):
    ids = set(bus.rows("SELECT id FROM command"))
    monkeypatch.setenv("COLUMNS", "80")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    told = quash("list", "commands", "--limit", 3)
    assert told.code == 0, told.err
    head, *lines = screen.getvalue().splitlines()
    assert len(lines) == 3
    for line in (head, *lines, *told.err.splitlines()):
        assert visible(line, 1_000_000) == line
        assert len(line) < 10_000
    assert len({one for (one,) in ids for line in lines if one[-10:] in line}) == 3


def test_an_odd_description_names_each_column_of_a_file_once(odd, quash, bus):
    told = quash("list", "commands", "--limit", 3, "--output", "csv")
    assert told.code == 0, told.err
    head, *lines = told.out.splitlines()
    names = head.split(",")
    assert len(set(names)) == len(names)
    assert "id" in names
    assert "verdict" in names
    assert len(lines) == 3
