"""The window's title never carries more than a title."""

from types import SimpleNamespace

import pytest

from tui_app.tui.terminal import name_window


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("quash: run r1 finished", "\x1b]2;quash: run r1 finished\x07"),
        ("a\x07\x1b]52;c;eA==\x07", "\x1b]2;a]52;c;eA==\x07"),
        ("\u202eü", "\x1b]2;\x07"),
    ],
)
def test_a_title_is_printable_ascii(name, written):
    sent = []
    name_window(SimpleNamespace(_driver=SimpleNamespace(write=sent.append, flush=lambda: None)), name)
    assert sent == [written]
