"""How long the tokens hold that are used, in the words of the header."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tui_app.domain.moments import read

if TYPE_CHECKING:
    from tui_app.contract.models import CredentialModel

SOON = timedelta(minutes=10)
"""From when on it is said that a token ends."""

MINUTE = timedelta(minutes=1)


def ending(credentials: Sequence[CredentialModel], now: datetime) -> str:
    """What is to be said of the token that ends first; nothing while all of them hold for long enough."""
    ends = min((read(one.expires_at) for one in credentials if one.expires_at is not None), default=None)
    if ends is None or ends - now >= SOON:
        return ""
    if ends <= now:
        return "token has expired"
    minutes = (ends - now) // MINUTE
    return f"token expires in {minutes} min" if minutes else "token expires within a minute"
