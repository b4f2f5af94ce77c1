"""Numbers on the command line: each is read, and held to what makes sense of it.

A number that is none is an ``argparse.ArgumentTypeError``, which the parser tells with the name of the option.
"""

from __future__ import annotations

import argparse
import re

_LONGEST_TTL = 30 * 86_400
_LONGEST_WAIT = 366 * 86_400
_LONGEST_INTERVAL = 3_600
_GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+")


def limit(text: str) -> int:
    """How many rows, or items at a time: 1 to 500."""
    number = _whole(text)
    if not 1 <= number <= 500:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 500")
    return number


def _whole(text: str) -> int:
    # Numbers are printed in groups of three, and copied from there.
    plain = text.replace(",", "") if _GROUPED.fullmatch(text) else text
    digits = plain.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(plain)


def count(text: str) -> int:
    """A number that is not below zero."""
    number = _whole(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0")
    return number


def seconds(text: str) -> int:
    """A length of time in whole seconds, up to 366 days."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a length of time: at least 1 second")
    if number > _LONGEST_WAIT:
        raise argparse.ArgumentTypeError(f"{text} seconds are more than {_LONGEST_WAIT // 86_400} days")
    return number


def interval(text: str) -> float:
    """A length of time in seconds, from 0.01 to 3600."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0.01 <= number <= _LONGEST_INTERVAL:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.01 and {_LONGEST_INTERVAL} seconds")
    return number


def ttl(text: str) -> int:
    """How long a plan lives, in whole seconds, up to 30 days."""
    number = seconds(text)
    if number > _LONGEST_TTL:
        raise argparse.ArgumentTypeError(f"{text} seconds are more than {_LONGEST_TTL // 86_400} days")
    return number


def port(text: str) -> int:
    """A port; 0 is any that is free."""
    number = count(text)
    if number > 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return number
