"""The documentation as data: its pages, and what they say that can be held against the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^\s*```\s*(\w*)")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")

SHELL = {"sh", "console"}
"""Languages of fences that hold commands: all lines of ``sh``, and those after ``$ `` of ``console``."""


@dataclass
class Fence:
    """A block of code: its language, the number of its first line, and its lines."""

    language: str
    start: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass
class Page:
    """One page, taken apart."""

    path: Path
    fences: list[Fence] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def paragraphs(self) -> Iterator[str]:
        """Its prose without the ends of lines, which may stand within a link or between backticks."""
        for _, lines in groupby(self.prose, bool):
            yield " ".join(line.strip() for line in lines)

    def spans(self) -> Iterator[str]:
        """What stands between backticks."""
        for text in self.paragraphs():
            for found in _SPAN.finditer(text):
                yield found[2].strip()

    def links(self) -> Iterator[str]:
        """Targets of links and pictures; what stands between backticks is no link."""
        for text in self.paragraphs():
            yield from _LINK.findall(_SPAN.sub(lambda span: "x" * len(span[0]), text))

    def anchors(self) -> set[str]:
        """The names that a link can jump to."""
        headings = (found[1] for line in self.prose if (found := _HEADING.match(line)))
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def tables(self) -> Iterator[list[dict[str, str]]]:
        """Tables as rows by the names in their head."""
        head: list[str] = []
        rows: list[dict[str, str]] = []
        for line in [*self.prose, ""]:
            if not line.startswith("|"):
                if head:
                    yield rows
                head, rows = [], []
                continue
            cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
            if not head:
                head = cells
            elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                rows.append(dict(zip(head, cells, strict=True)))

    def command_lines(self) -> Iterator[str]:
        """The lines of its shell blocks, continued ones joined."""
        for fence in self.fences:
            if fence.language in SHELL:
                for command in commands_of(fence):
                    yield command.line


@dataclass
class Command:
    """A command of a shell block, with the output that the page shows under it."""

    line: str
    output: list[str] = field(default_factory=list)


def commands_of(fence: Fence) -> list[Command]:
    """The commands of a shell block in order."""
    found: list[Command] = []
    open_ = False
    for raw in fence.lines:
        line = raw.rstrip()
        prompted = line.startswith("$ ")
        if open_:
            found[-1].line = f"{found[-1].line[:-1].rstrip()} {line.removeprefix('>').strip()}"
        elif fence.language == "sh" or prompted:
            text = line.removeprefix("$ ") if prompted else line
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            found.append(Command(text.strip()))
        elif found:
            found[-1].output.append(line)
            continue
        open_ = bool(found) and found[-1].line.endswith("\\")
    return found


def programs(line: str) -> Iterator[list[str]]:
    """The simple commands of a shell line, without assignments and redirections: ``A=1 b c | d > e`` is b and d."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for token in [*lexer, ";"]:
        if token in {">", ">>", "<"}:
            redirected = True
        elif redirected:
            redirected = False
        elif set(token) <= set("();<>|&"):
            if words:
                yield words
            words = []
        elif words or not _ASSIGNMENT.fullmatch(token):
            words.append(token)


def read(path: Path) -> Page:
    """Take a page apart."""
    page, fence, indent = Page(path), None, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        marker = _FENCE.match(line)
        if marker and fence is None:
            fence, indent = Fence(marker[1], number + 1), len(line) - len(line.lstrip())
        elif marker and fence is not None:
            page.fences.append(fence)
            fence = None
        elif fence is not None:
            # A block in a list is set in as its item is.
            fence.lines.append(line[indent:] if not line[:indent].strip() else line)
        else:
            page.prose.append(line)
    assert fence is None, f"{page.name}: a block is not closed"
    return page


@cache
def pages() -> tuple[Page, ...]:
    """Every page of the documentation."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
    return tuple(read(path) for path in paths)


def page(name: str) -> Page:
    """One page by its path from the top of the repository."""
    return next(page for page in pages() if page.name == name)
