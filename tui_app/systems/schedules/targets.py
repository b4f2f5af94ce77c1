"""What the one guarded write is told, wherever the schedules are stored: which ones, and on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One schedule to cancel. Without a version its status alone is the guard; without a key it is not ours."""

    id: str
    version: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Behalf:
    """On whose behalf, and why; ``run_id`` is null where a native route was called."""

    principal: str
    reason: str | None
    run_id: str | None = None
