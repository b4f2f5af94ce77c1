"""What is said to a terminal, and what is found out about it."""

import os
import subprocess
import sys
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


@pytest.mark.parametrize(("locale", "speaks"), [("C", False), ("POSIX", False), ("C.UTF-8", True)])
def test_only_a_locale_of_utf_8_speaks_it(locale, speaks):
    code = "from tui_app.glyphs import speaks_utf8; print(speaks_utf8())"
    environment = {**os.environ, "LC_ALL": locale}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(speaks)
