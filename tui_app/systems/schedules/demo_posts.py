"""What the posts of the demo say, whose they are, and where they go out: made up, and awkward where life is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID


def noise(salt: str, number: int | str) -> bytes:
    """Thirty-two bytes that depend on nothing else: the chance of the demo."""
    return hashlib.blake2b(f"{salt} {number}".encode(), digest_size=32).digest()


@lru_cache(maxsize=64)
def uuid_of(salt: str, number: int | str) -> str:
    """The id of one thing of the demo."""
    return str(UUID(bytes=noise(salt, number)[:16], version=4))


HOSTILE = (
    "[@click=app.quit]x[/]",
    "a[/]b",
    "\x1b[31mred\x1b[0m and \x1b[2Jcleared \x9b1m",
    "summer-\u202egpj.exe",
    "\x1b]52;c;cXVhc2g=\x07clipboard",
    '=HYPERLINK("https://example.invalid","win")',
    "zero\u200bwidth \ufeffand \u2066isolated\u2069",
    "新しいお知らせ — naïve café 🚚",
    "first line\nsecond line\r\ttabbed",
    "A long thread: " + "more about the launch of the new range; " * 280,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """An account on a channel that posts go out on."""

    name: str
    channel: str

    @property
    def id(self) -> str:
        return uuid_of("connection", self.name)

    @property
    def channel_id(self) -> str:
        return uuid_of("channel", self.channel)


CONNECTIONS = (
    Connection("@example", "x"),
    Connection("@example_support", "x"),
    Connection("Example Inc.", "linkedin"),
    Connection("Example Careers", "linkedin"),
    Connection("example.official", "instagram"),
    Connection("Example Outdoor", "facebook"),
    Connection("[bold]example[/]", "mastodon"),
)
OWNERS = ("jane@example.com", "ops2@example.com", "press@example.com", "events@example.com", "shop@example.com")
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata", "America/Sao_Paulo", "UTC")
TITLES = ("Spring sale", "Launch of the new range", "Hiring", "Opening hours", "Webinar", "Behind the scenes")
CONTENTS = (
    "Everything in the shop is 20 % off until Sunday. #{number}",
    "It is here: the new range, lighter and repairable. #{number}",
    "We are looking for people who like maps. Open position {number}",
    "On public holidays we open at ten. Notice {number}",
    "Seats are left for webinar {number}: how we test in the rain",
    "This is where your tent was sewn, part {number}",
)
