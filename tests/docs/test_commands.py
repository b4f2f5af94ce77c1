"""The generated pages are those of this code, and everything that a user can say is in them."""

import ast
import re
import runpy

import pytest

from support.pages import ROOT
from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.cli.grammar import build
from tui_app.config.profiles import Config, Profile, settings_of
from tui_app.domain.errors import BY_CODE

PAGES = runpy.run_path(str(ROOT / "docs" / "commands.py"))["PAGES"]


def text(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_the_one_that_would_be_made(page):
    assert text(page) == PAGES[page](), "run `python docs/commands.py`"


def test_every_verb_and_option_is_there():
    verbs = build()._subparsers._group_actions[0].choices
    assert verbs.keys() == {
        "demo", "list", "show", "plan", "apply", "cancel", "runs", "ledger", "serve", "runner", "scanner", "publisher",
        "token", "profile", "plans",
    }  # fmt: skip
    page = text("cli.md")
    for name, parser in verbs.items():
        section = re.search(rf"^## `quash {name}`$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        for action in parser._actions:
            for option in {*action.option_strings} - {"-h", "--help", "-o"}:
                assert f"`{option}" in page, option
    assert {"--yes", "--expect-count N", "--accept-drift", "--no-notify", "--timeout S"} <= set(
        re.findall(r"`(--[^`]+)`", page)
    )


def test_every_setting_and_variable_is_there():
    page = text("settings.md")
    for kind in (Config, Profile, *bootstrap.kinds().values()):
        for name, setting in settings_of(kind).items():
            assert f"| `{name}` | {setting.doc} | `{setting.example}` |" in page
    read = {
        node.value
        for path in (ROOT / "tui_app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"QUASH_[A-Z_]+", node.value)
    }
    assert read >= {"QUASH_CONFIG", "QUASH_DATA"}
    assert [name for name in sorted(read) if f"`{name}`" not in page] == []


def test_every_exit_code_and_error_is_there():
    page = text("exit-codes.md")
    assert [int(one) for one in Exit if f"| {int(one)} | {one.told} |" not in page] == []
    assert [code for code in BY_CODE if f"`{code}`" not in page] == []
