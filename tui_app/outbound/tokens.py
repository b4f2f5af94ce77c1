"""Tokens that expire: asked for when they are needed, again before they end, and once more when they are refused."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tui_app.clock import SystemClock
from tui_app.config import credentials
from tui_app.config.values import Secret
from tui_app.domain.errors import NotSignedIn, Unavailable
from tui_app.domain.foreign_json import parse
from tui_app.domain.moments import clamped, known_epoch
from tui_app.domain.ports import Clock

log = logging.getLogger("quash.runner")

T = TypeVar("T")

Whose = Callable[[Secret], Awaitable[str | None]]
"""Asks the server whose a token is; none where it does not tell."""

EARLY = timedelta(seconds=60)
"""How long before its end a token is asked for anew, or a tenth of its life where that is less."""

PATIENCE = timedelta(seconds=5)
"""How long nobody is asked again who has just given the same token, and no command that has just given none."""


class TokenSource:
    """The token of one service, from its command, its file or the environment.

    What is known of a token's end is read from it where it is a JSON Web Token, without believing it: the server
    decides. ``variable`` names the environment's variable.
    """

    def __init__(
        self,
        command: tuple[str, ...] | None,
        file: str | None,
        variable: str,
        environment: Mapping[str, str],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._command = command
        self._file = file
        self._variable = variable
        self._environment = environment
        self._clock = clock or SystemClock()
        self._asking = asyncio.Lock()
        self._token: Secret | None = None
        self._claims: Mapping[str, Any] = {}
        self._whose: Whose | None = None
        self._told: str | None = None
        self._identified = False
        self._ask_from: datetime | None = None
        self._asked = 0
        self._trouble: NotSignedIn | None = None
        self._quiet_until: datetime | None = None

    @classmethod
    def given(cls, token: str) -> TokenSource:
        """One token that is at hand, and no other."""
        return cls(None, None, "the token that was given", {"the token that was given": token})

    @property
    def expires_at(self) -> datetime | None:
        """When the token at hand ends; none where that is not known, or none has been needed yet."""
        return known_epoch(self._claims.get("exp"))

    @property
    def subject(self) -> str | None:
        """Whom the token at hand is for: as it says itself, else as its server tells; none where neither does."""
        return _named(self._claims) or self._told

    @property
    def place(self) -> str:
        """Where the token comes from, to be named to the operator."""
        if self._command is not None:
            return f"token_command (`{self._command[0]}`)"
        return f"token_file ({self._file})" if self._file is not None else self._variable

    def ask_whose(self, whose: Whose) -> None:
        """From now on have the server say whose a token is that names nobody, before it is used."""
        self._whose = whose

    async def identify(self) -> None:
        """Have the server say whose the token at hand is, where nobody has asked yet.

        Raises:
            NotSignedIn: there is no token, or it is not accepted.
            Unavailable: the server cannot be asked.
        """
        token = await self.current()
        async with self._asking:
            if token == self._token and not self._identified:
                self._told, self._identified = await self._named_by_server(token), True

    async def _named_by_server(self, token: Secret) -> str | None:
        if self._whose is None or _named(_claims(token)) is not None:
            return None
        return await self._whose(token)

    async def current(self) -> Secret:
        """The token to send.

        Raises:
            NotSignedIn: there is none; the sentence names where it was looked for.
        """
        asked = self._asked
        async with self._asking:
            now = self._clock.now()
            if self._token is None or (self._ask_from is not None and now >= self._ask_from):
                try:
                    await self._ask(asked)
                except (NotSignedIn, Unavailable):
                    now, ends = self._clock.now(), self.expires_at
                    if self._token is None or (ends is not None and ends <= now):
                        raise
                    # It still holds: whoever gives tokens may be back before it ends.
                    self._ask_from = now + PATIENCE
            assert self._token is not None
            return self._token

    async def used(self, send: Callable[[Secret], Awaitable[T]], refused: Callable[[T], bool]) -> T:
        """Send with the token, and once more where it is refused and another one is given by now.

        Raises:
            NotSignedIn: there is none.
        """
        token = await self.current()
        answer = await send(token)
        if not refused(answer):
            return answer
        other = await self._other_than(token)
        return answer if other is None else await send(other)

    async def _other_than(self, refused: Secret) -> Secret | None:
        asked = self._asked
        async with self._asking:
            if self._token is None or self._token == refused:
                await self._ask(asked)
            return None if self._token == refused else self._token

    async def _ask(self, asked: int) -> None:
        """Ask, unless somebody has while the caller waited; ``asked`` is how often that had been done before.

        One answer is for all who wait for it. Else each of them would in turn wait as long as a command may take, and
        a run would stand still in silence.
        """
        now = self._clock.now()
        answered = self._asked > asked
        if self._trouble is not None and (answered or self._is_quiet(now)):
            raise NotSignedIn(self._trouble.message, hint=self._trouble.hint)
        if answered:
            return
        log.info("a token is asked for: %s", self.place)
        try:
            token = await credentials.token(self._command, self._file, self._variable, self._environment)
            told = await self._named_by_server(token)
            self._check_bearer(_named(_claims(token)) or told)
        except NotSignedIn as trouble:
            self._asked += 1
            self._trouble = trouble
            # A file or a variable costs nothing to look at, and may have been mended since.
            self._quiet_until = None if self._command is None else self._clock.now() + PATIENCE
            raise
        self._asked += 1
        self._trouble, self._token, self._claims = None, token, _claims(token)
        self._told, self._identified = told, self._whose is not None
        now, ends = self._clock.now(), self.expires_at
        self._ask_from = None if ends is None else max(ends - min(EARLY, (ends - now) / 10), now + PATIENCE)

    def _is_quiet(self, now: datetime) -> bool:
        if self._quiet_until is None:
            return False
        self._quiet_until = clamped(self._quiet_until, now, PATIENCE)
        return now < self._quiet_until

    def _check_bearer(self, named: str | None) -> None:
        """Go on as one and the same: what was confirmed as one user must not be sent as another in the middle."""
        if self._token is not None and named != self.subject:
            now, before = (name or "nobody it names" for name in (named, self.subject))
            raise NotSignedIn(
                f"{self.place} gives a token of {now} now, and it was one of {before}",
                hint="Start quash anew to go on as somebody else; a run has to be taken over then.",
            )


def _named(claims: Mapping[str, Any]) -> str | None:
    named = claims.get("principal_id") or claims.get("sub")
    return named if isinstance(named, str) else None


def _claims(token: Secret) -> Mapping[str, Any]:
    """What the token says of itself; nothing where it is no JSON Web Token.

    Read without the library, which loads a whole room of cryptography to look at what is not verified here.
    """
    parts = token.reveal().split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = parse(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
