"""A run as the entries of its chain tell it: what its row in the journal has to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui_app.domain.ledger import Event
from tui_app.domain.run import RunState

_STATES = {
    Event.STARTED: RunState.RUNNING,
    Event.PAUSED: RunState.PAUSED,
    Event.STOPPED: RunState.STOPPED,
    Event.FINISHED: RunState.FINISHED,
}


@dataclass(slots=True)
class RunReplay:
    """The state of one run, replayed from its entries in order.

    ``confirmed`` is the hash of its confirmation and ``secret_hash`` that of its secret; moments are ISO 8601 in UTC,
    as they were entered.
    """

    plan: str
    plan_hash: str
    confirmed: str
    secret_hash: str
    principal: str
    targets: Mapping[str, str]
    bearers: Mapping[str, str]
    items: int
    created_at: str
    state: str = RunState.QUEUED.value
    wanted: str | None = None
    pause: Mapping[str, Any] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    stopped_by: str | None = None
    head: str | None = None

    @classmethod
    def begin(cls, facts: Mapping[str, Any]) -> RunReplay:
        """The run that an entry ``confirmed`` begins.

        Raises:
            KeyError: the entry does not say enough.
        """
        return cls(
            plan=facts["plan"],
            plan_hash=facts["plan_hash"],
            confirmed=facts["confirmed"],
            secret_hash=facts["secret_hash"],
            principal=facts["operator"],
            targets=facts["targets"],
            bearers=facts["bearers"],
            items=facts["counts"]["items"],
            created_at=facts["at"],
        )

    def apply(self, event: str, facts: Mapping[str, Any]) -> None:
        """Go on with the next entry of the chain; an event that changes no run is passed over.

        Raises:
            KeyError: the entry does not say enough.
        """
        if event == Event.PAUSING:
            self.wanted = RunState.PAUSED.value
        elif event == Event.STOPPING:
            self.wanted, self.stopped_by, self.pause = RunState.STOPPED.value, facts["operator"], None
            self._leave_pause()
        elif event == Event.RESUMED:
            self._leave_pause()
            self._done(RunState.PAUSED)
        elif event == Event.TAKEN_OVER:
            self.principal, self.targets, self.bearers = facts["operator"], facts["targets"], facts["bearers"]
        elif event in _STATES:
            self._move(_STATES[Event(event)], facts)

    def _leave_pause(self) -> None:
        if self.state == RunState.PAUSED:
            self.state, self.pause = RunState.QUEUED.value, None

    def _done(self, state: RunState) -> None:
        if self.wanted == state:
            self.wanted = None

    def _move(self, state: RunState, facts: Mapping[str, Any]) -> None:
        self.state, self.pause = state.value, None
        self._done(state)
        if state is RunState.PAUSED:
            self.pause = {name: facts[name] for name in ("cause", "message", "until")}
        elif state is RunState.RUNNING:
            self.started_at = self.started_at or facts["at"]
        else:
            self.wanted, self.ended_at = None, facts["at"]
