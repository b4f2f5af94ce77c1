"""How a command line is read."""

import pytest

from tui_app.cli.exits import Exit
from tui_app.cli.main import main
from tui_app.cli.parser import parse
from tui_app.domain.errors import UsageProblem


@pytest.mark.parametrize(
    ("words", "handler"),
    [
        ("", "console:open_console"),
        ("--profile prod", "console:open_console"),
        ("runs", "runs:list_runs"),
        ("runs --output json", "runs:list_runs"),
        ("runs r1", "runs:show_run"),
        ("--output json runs r1 --profile prod", "runs:show_run"),
        ("runs pause r1", "runs:pause_run"),
        ("runs undo r1", "runs:undo_run"),
        ("scanner", "hands:scanner"),
        ("publisher --once --interval 0.5", "hands:publisher"),
        ("ledger", "ledger:list_lines"),
        ("ledger --run r1", "ledger:list_lines"),
        ("ledger verify", "ledger:verify"),
        ("profile", "profiles:list_profiles"),
        ("profile show --profile prod", "profiles:show_profile"),
    ],
)
def test_the_frequent_forms_are_short(words, handler):
    assert parse(words.split()).handler == handler


def test_common_options_stand_before_and_after_the_verb():
    before, after = parse(["--profile", "prod", "list", "commands"]), parse(["list", "commands", "--profile", "prod"])
    assert vars(before) == vars(after)
    assert before.profile == "prod"


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("0", 0), ("1500", 1500), ("1,500", 1500), ("12,431,000", 12431000)]
)
def test_a_count_is_taken_as_it_is_printed(text, number):
    assert parse(["cancel", "commands", "a/b", "--expect-count", text]).expect_count == number


@pytest.mark.parametrize("text", ["1,50", "1,5000", ",500", "1,500,", "1.500", "1 500", "-1,500", "1,500x", "١"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(UsageProblem):
        parse(["cancel", "commands", "a/b", f"--expect-count={text}"])


def test_a_value_may_begin_with_a_hyphen():
    assert parse(["list", "commands", "--sort", "-updated"]).sort == "-updated"
    assert parse(["plan", "commands", "a/b", "--reason", "-- no"]).reason == "-- no"


@pytest.mark.parametrize(
    "words",
    [
        "cancel commands a/b --rate 5/minute",
        "cancel commands a/b --canary",
        "apply p1 --no-canary",
        "worker",
        "scanner --interval 0",
        "scanner --interval soon",
        "scanner --batch 0",
        "publisher --batch 5",
        "runs undo",
        "runs undo r1 --no-notify",
        "list commands --outp json",
        "list commands --output xml",
        "list commands more words",
        "runs pause",
        "ledger frobnicate",
        "serve --port 70000",
        "plan commands a/b --ttl 9999999",
        "token --user jane --ttl 99999999999999999",
        "cancel commands a/b --timeout 0",
        "cancel commands a/b --detach --timeout 5",
    ],
)
def test_what_is_not_there_is_refused(words):
    with pytest.raises(UsageProblem, match=r"."):
        parse(words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("plan commands a/b --ttl -5", "at least 1"),
        ("plan commands a/b --ttl=-5", "at least 1"),
        ("plan commands a/b --ttl 0", "at least 1"),
        ("plan commands a/b --ttl soon", "'soon' is not a number"),
        ("plan commands a/b --ttl -", "'-' is not a number"),
        ("list commands --limit -5", "-5 is not between 1 and 500"),
        ("cancel commands a/b --expect-count -1", "at least 0"),
        ("cancel commands a/b --timeout -1", "at least 1"),
    ],
)
def test_a_number_that_is_too_small_is_a_number_all_the_same(words, said):
    with pytest.raises(UsageProblem) as refused:
        parse(words.split())
    assert said in refused.value.message


def test_version_and_help(capsys):
    assert main(["--version"]) == main(["--profile", "x", "--version"]) == Exit.DONE
    assert capsys.readouterr().out == "quash 0.1.0\n" * 2
    for words in (["--help"], ["cancel", "--help"], ["runs", "-h"], ["runs", "resume", "--help"]):
        assert main(words) == Exit.DONE
        assert capsys.readouterr().out.startswith("usage: quash")


@pytest.mark.parametrize(
    "words",
    [
        ("--profile", "", "runs"),
        ("runs", "--config", " "),
        ("runs", "--data", ""),
        ("runs", "--operator", ""),
        ("runs", ""),
        ("runs", "stop", " "),
        ("show", "cases", ""),
        ("plan", "cases", "CASE-1", ""),
        ("plan", "cases", "--ids", ""),
        ("apply", "p1", "--hash", ""),
        ("ledger", "--run", ""),
        ("ledger", "export", "--by", ""),
        ("ledger", "verify", "--anchor-file", ""),
        ("token", "--user", ""),
    ],
    ids=" ".join,
)
def test_a_word_that_says_nothing_never_stands_for_the_default(words, capsys):
    with pytest.raises(UsageProblem, match="nothing is given; is a variable of a script not set"):
        parse(words)
    assert main(words) == Exit.USAGE
    assert "is a variable of a script not set?" in capsys.readouterr().err
