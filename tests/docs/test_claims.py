"""What the documentation says is there is there: links, paths, names, variables, commands, targets, settings."""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from support.pages import ROOT, Page, page, pages, programs
from tui_app import bootstrap
from tui_app.cli.parser import parse
from tui_app.config import reading
from tui_app.config.places import Named
from tui_app.domain.errors import BY_CODE, QuashError
from tui_app.tui.actions import ACTIONS
from tui_app.tui.keymap import Keymap, shown_key

EVERY_PAGE = pytest.mark.parametrize("page_", pages(), ids=lambda page_: page_.name)

# Other programs that a block may use; a name that is none of them is most likely a slip.
FOREIGN = {
    "echo",
    "apt-get", "cat", "cd", "chmod", "cp", "curl", "export", "git", "journalctl", "jq", "loginctl", "mktemp", "python",
    "sudo", "sqlite3", "ssh", "systemctl", "wc",
}  # fmt: skip

PATHS = re.compile(r"(?:\.?[\w.-]+/)*[\w.-]+")
TOPS = ("tui_app", "tests", "docs", "styles", "benchmarks", ".ci", "Makefile", "pyproject.toml", "requirements.txt")
DOTTED = re.compile(r"\btui_app(?:\.\w+)+")
MEMBER = re.compile(r"(_?[A-Z]\w*)\.([a-z_]\w*)(?:\(\))?")
LABELLED = re.compile(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\)")
NODE = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
VARIABLE = re.compile(r"\bQUASH_[A-Z_]+\b")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named_tests(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@cache
def members() -> dict[str, set[str]]:
    """The classes of the package, with what their bodies and their methods name on them."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tui_app").rglob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                names = found.setdefault(node.name, set())
                for one in ast.walk(node):
                    if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                        names.add(one.name)
                    elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                        names.add(one.id)
    return found


def resolves(name: str) -> bool:
    """Whether a dotted name is a module of the package, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def quash_words(lines: Iterable[str]) -> list[list[str]]:
    """The words after ``quash`` in these lines."""
    found = [words for line in lines for words in programs(line)]
    return [words[1:] for words in found if words[0].rpartition("/")[2] == "quash"]


def block_lines(page_: Page) -> list[str]:
    """The lines of shell blocks, and the commands of systemd units."""
    units = [line.partition("=")[2] for fence in page_.fences for line in fence.lines if re.match(r"Exec\w+=", line)]
    return [*page_.command_lines(), *units]


def refusal(words: list[str]) -> str | None:
    """What the command line says of these words; None where it takes them."""
    if {"-h", "--help"} & set(words):
        return None
    try:
        parse(words)
    except QuashError as error:
        return error.message
    return None


@EVERY_PAGE
def test_every_link_leads_somewhere(page_: Page) -> None:
    broken = []
    for link in page_.links():
        target, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        path = (page_.path.parent / target).resolve() if target else page_.path
        known = next((one for one in pages() if one.path == path), None)
        if not path.exists() or (anchor and (known is None or anchor not in known.anchors())):
            broken.append(link)
    assert broken == []


@EVERY_PAGE
def test_every_path_is_there(page_: Page) -> None:
    named = [span.partition("::")[0] for span in page_.spans() if span.split("/")[0] in TOPS]
    named = [name for name in named if PATHS.fullmatch(name.rstrip("/"))]
    assert [name for name in named if not (ROOT / name).exists()] == []


@EVERY_PAGE
def test_every_name_in_the_code_is_there(page_: Page) -> None:
    text = page_.path.read_text(encoding="utf-8")
    dotted = {name for name in DOTTED.findall(text) if not resolves(name)}
    spans = [found for span in page_.spans() if (found := MEMBER.fullmatch(span))]
    strange = {f"{found[1]}.{found[2]}" for found in spans if found[2] not in members().get(found[1], set())}
    assert (dotted, strange) == (set(), set())


@EVERY_PAGE
def test_every_test_that_is_named_is_there(page_: Page) -> None:
    text = page_.path.read_text(encoding="utf-8")
    named = [*NODE.findall(text), *((path, name) for name, path in LABELLED.findall(text))]
    gone = [
        f"{path}::{name}" for path, name in named if not (ROOT / path).exists() or name not in named_tests(ROOT / path)
    ]
    assert gone == []


@EVERY_PAGE
def test_every_variable_is_known(page_: Page) -> None:
    sources = [*(ROOT / "tui_app").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / ".ci").iterdir()]
    known = {name for path in sources for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}
    said = set(VARIABLE.findall(page_.path.read_text(encoding="utf-8")))
    assert {name for name in said if not name.endswith("_")} - known == set()


@EVERY_PAGE
def test_every_quash_command_parses(page_: Page) -> None:
    assert [(words, why) for words in quash_words(block_lines(page_)) if (why := refusal(words))] == []


@EVERY_PAGE
def test_every_quash_command_in_a_sentence_parses_as_far_as_it_goes(page_: Page) -> None:
    spans = [span for span in page_.spans() if span.startswith("quash ") and not re.search(r"[…\[\]{}]", span)]
    refused = [(words, why) for words in quash_words(spans) if (why := refusal(words))]
    assert [(words, why) for words, why in refused if "arguments are required" not in why] == []


@EVERY_PAGE
def test_every_make_target_is_there(page_: Page) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    lines = [*page_.command_lines(), *(span for span in page_.spans() if span.startswith("make "))]
    said = {
        word
        for line in lines
        for words in programs(line)
        if words[0] == "make"
        for word in words[1:]
        if re.fullmatch(r"[a-z]+", word)
    }
    assert said - targets == set()


@EVERY_PAGE
def test_no_program_is_misspelled(page_: Page) -> None:
    called = {words[0].rpartition("/")[2] for line in page_.command_lines() for words in programs(line)}
    assert called - FOREIGN - {"quash", "make"} == set()


@EVERY_PAGE
def test_every_configuration_can_be_read(page_: Page, tmp_path: Path) -> None:
    for number, fence in enumerate(one for one in page_.fences if one.language == "toml"):
        path = tmp_path / f"{number}.toml"
        path.write_text(fence.text, encoding="utf-8")
        reading.load(Named(path), bootstrap.kinds())


@EVERY_PAGE
def test_every_key_in_a_table_of_keys_does_something(page_: Page) -> None:
    keymap = Keymap()
    known = {key for action in ACTIONS for key in keymap.keys(action)}
    known |= {shown_key(key) for key in known}
    said = {
        key
        for table in page_.tables()
        for row in table
        if "key" in row and "you see" in row
        for key in re.findall(r"`([^`]+)`", row["key"])
    }
    assert said - known == set()


def test_the_index_has_every_page() -> None:
    index = page("docs/README.md")
    linked = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links()}
    docs = {one.path for one in pages() if one.path.is_relative_to(ROOT / "docs")} - {index.path}
    assert {path.name for path in docs - linked} == set()


def imported_by(room: Path) -> set[str]:
    """The other rooms that a room imports, wherever in its modules."""
    found = set()
    for path in room.rglob("*.py") if room.is_dir() else [room]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tui_app":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                found |= {name.split(".")[1] for name in names}
    return found - {room.stem, "__version__"}


def test_the_rooms_import_what_the_architecture_says() -> None:
    [rooms] = [table for table in page("docs/architecture.md").tables() if "imports" in table[0]]
    strangers = {
        room["room"]: missing
        for room in rooms
        if (missing := imported_by(ROOT / room["room"].strip("`")) - set(re.findall(r"\w+", room["imports"])))
    }
    assert strangers == {}
    folders = {path.name for path in (ROOT / "tui_app").iterdir() if (path / "__init__.py").exists()}
    assert folders - {Path(room["room"].strip("`")).stem for room in rooms} == set()


def test_every_error_code_is_in_the_guide() -> None:
    codes = [row["code"].strip("`") for table in page("docs/guide.md").tables() for row in table if "code" in row]
    assert sorted(codes) == sorted(BY_CODE)


def test_decisions_are_numbered_without_a_gap_and_say_why() -> None:
    decisions = [one for one in pages() if one.path.parent.name == "adr"]
    numbers = [int(one.path.name[:4]) for one in decisions]
    assert numbers == list(range(1, len(decisions) + 1))
    for one in decisions:
        text = one.path.read_text(encoding="utf-8")
        wanting = [head for head in ("Context", "Decision", "Consequences") if f"## {head}\n" not in text]
        assert (one.name, wanting) == (one.name, [])
        assert text.startswith(f"# {int(one.path.name[:4])}. ")


def test_the_checks_see_what_they_check(tmp_path: Path) -> None:
    from support.pages import commands_of, read

    path = tmp_path / "page.md"
    path.write_text(
        "[a](gone.md) `tui_app.nowhere` `Steering.nothing` [`x`](there.md)\n"
        "```console\n$ quash lsit commands | jq . > out\nshown\n$ quash plan commands \\\n    --ids -\n```\n"
        "| key | you see |\n|---|---|\n| `x` \\| `y` | a |\n",
        encoding="utf-8",
    )
    made = read(path)
    assert list(made.links()) == ["gone.md", "there.md"]
    assert (resolves("tui_app.nowhere"), resolves("tui_app.domain.plan.PlanHasher.add")) == (False, True)
    assert "nothing" not in members()["Steering"]
    [one, two] = commands_of(made.fences[0])
    assert (one.output, two.line) == (["shown"], "quash plan commands --ids -")
    assert list(programs(one.line)) == [["quash", "lsit", "commands"], ["jq", "."]]
    assert list(made.tables()) == [[{"key": "`x` | `y`", "you see": "a"}]]
    with pytest.raises(QuashError):
        parse(["lsit", "commands"])


def test_make_says_what_it_installs_before_each_long_step() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--always-make", "install"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    long = [number for number, line in enumerate(said) if "pip install" in line]
    assert len(long) == 2
    assert [said[number - 1].partition('"')[0] for number in long] == ["echo ", "echo "]
    assert "about two minutes the first time" in said[long[0] - 1]
