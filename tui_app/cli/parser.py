"""How a command line is read: common options anywhere, the frequent forms short, and no guessing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from tui_app.domain.errors import UsageProblem

OUTPUTS = ("table", "json", "jsonl", "csv")

_DASHED = frozenset({"--sort", "--filter", "--reason"})
"""Options whose value may begin with a hyphen."""

_FIRST_WORDS = {
    "plans": ("list", "show", "resume"),
    "runs": ("list", "show", "pause", "resume", "stop", "retry", "undo", "verify", "report"),
    "ledger": ("list", "verify", "export"),
    "profile": ("list", "show", "check"),
}


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors of ours, and which guesses no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})
        self.register("type", None, _given)

    def add_subparsers(self, **settings: Any) -> Any:
        action = super().add_subparsers(**settings)
        # It is handed all words that follow, which the parser of the verb reads itself.
        action.type = str
        return action

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(message, hint=f"See `{self.prog} --help`.")


def _given(text: str) -> str:
    """A word that was given for something; an unset variable of a script would else stand for the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("nothing is given; is a variable of a script not set?")
    return text


def common() -> Parser:
    """The options that every verb takes, before it or after it."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    every = parser.add_argument_group("options of every verb")
    every.add_argument("--profile", metavar="NAME", help="the profile to work on (QUASH_PROFILE)")
    every.add_argument("--operator", metavar="NAME", help="who acts, in the ledger (QUASH_OPERATOR)")
    every.add_argument("--data", metavar="DIR", help="the state folder (QUASH_DATA)")
    every.add_argument("--config", metavar="FILE", help="the configuration file (QUASH_CONFIG)")
    every.add_argument("--no-config", action="store_true", help="ignore the configuration file")
    told = "how data is printed: table (the default), json, jsonl or csv"
    every.add_argument("--output", choices=OUTPUTS, metavar="FORM", help=told)
    return parser


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command line as a namespace with ``verb`` and ``handler``.

    Raises:
        UsageProblem: it makes no sense.
        SystemExit: it asked for help, which has been printed.
    """
    from tui_app.cli.grammar import build

    anywhere, rest = common().parse_known_args(_joined(words))
    grammar = build()
    found, left = grammar.parse_known_args(_with_first_word(rest), anywhere)
    # argparse ends a list of positionals at the first option after it; ids may stand on both sides of one.
    if left and (not hasattr(found, "ids") or any(word.startswith("-") for word in left)):
        grammar.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        found.id = [*found.id, *left]
    return found


def _joined(words: Sequence[str]) -> list[str]:
    """``--sort -updated`` as one word, since argparse would take the value for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in _DASHED and word.startswith("-") and not word.startswith("--"):
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined


def _with_first_word(words: list[str]) -> list[str]:
    """``quash runs`` lists and ``quash runs RUN`` shows, so that the most frequent forms are the shortest."""
    known = _FIRST_WORDS.get(words[0]) if words else None
    if known is None or words[1:2] in (["-h"], ["--help"]):
        return words
    if len(words) == 1 or words[1].startswith("-"):
        return [words[0], "list", *words[1:]]
    if words[0] in ("plans", "runs") and words[1] not in known:
        return [words[0], "show", *words[1:]]
    return words
