"""How long the tokens hold that are used: asked now and then, and told by the minute in the words of the header."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tui_app.domain.errors import QuashError
from tui_app.domain.moments import known
from tui_app.tui.work import Deferred

if TYPE_CHECKING:
    from tui_app.contract.models import About, CredentialModel
    from tui_app.tui.app import QuashApp

LOOK_SECONDS = 30
"""How often it is asked when tokens end; they are renewed meanwhile."""

SOON = timedelta(minutes=10)
"""From when on it is said that a token ends."""

MINUTE = timedelta(minutes=1)


def ending(credentials: Sequence[CredentialModel], now: datetime) -> str:
    """What is to be said of the token that ends first; nothing while all of them hold for long enough."""
    ends = min(filter(None, (known(one.expires_at) for one in credentials)), default=None)
    if ends is None or ends - now >= SOON:
        return ""
    if ends <= now:
        return "token has expired"
    minutes = (ends - now) // MINUTE
    return f"token expires in {minutes} min" if minutes else "token expires within a minute"


def acting_as(credentials: Sequence[CredentialModel], operator: str) -> str:
    """Which systems are reached as somebody else than the operator; nothing where none is known to be."""
    others: dict[str, list[str]] = {}
    for one in credentials:
        if one.acts_as not in (None, operator):
            others.setdefault(str(one.acts_as), []).append(one.system)
    return ", ".join(f"{' and '.join(systems)} as {name}" for name, systems in others.items())


class Tokens:
    """When the tokens of this console's backend end. What is to be said of that stands in ``QuashApp.token_ends``.

    The first answer of a backend knows of no token that none was needed for yet, so it is asked again at once, for all.
    """

    def __init__(self, app: QuashApp) -> None:
        self._app = app
        self._known: list[CredentialModel] = []
        self._operator = ""

    def begin(self, about: About) -> None:
        """The backend answered for the first time."""
        self._known, self._operator = about.credentials, about.operator
        self.tell()
        self._app.set_interval(LOOK_SECONDS, self.look)
        self.look()

    def look(self) -> None:
        """Ask anew, in the background."""
        self._app.run_worker(Deferred(self._look()), group="credentials", exclusive=True, exit_on_error=False)

    def tell(self) -> None:
        """Say how long they hold by now, and whom they are for where that is not the operator."""
        self._app.token_ends = ending(self._known, self._app.clock())
        self._app.acts_as = acting_as(self._known, self._operator)

    async def _look(self) -> None:
        try:
            about = await self._app.client.about(sign_in=True)
        except QuashError:
            # Whoever reads items says so, with what to do about it; what was known still holds.
            return
        self._known = about.credentials
        self.tell()
        if self._app.about is not None and about.systems != self._app.about.systems:
            # What a system can be filtered by, and where a reason goes, may be known only once it was asked.
            self._app.about = about
