"""Reaching the backend: made after the first paint, tried again until it answers, and closed at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui_app.domain.errors import CannotConnect, Refused
from tui_app.tui.notices import Notice, told
from tui_app.tui.text import counted, phrase, safe
from tui_app.tui.work import Deferred

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.runs import RunModel
    from tui_app.tui.app import QuashApp


class Connection:
    """The one client of the console, and whether it has answered."""

    def __init__(self, app: QuashApp, factory: Callable[[], BackendClient]) -> None:
        self._app = app
        self._factory = factory
        self._client: BackendClient | None = None

    @property
    def client(self) -> BackendClient:
        """The backend.

        Raises:
            CannotConnect: there has been no answer yet.
        """
        if self._client is None or self._app.about is None:
            raise CannotConnect("the backend has not answered yet")
        return self._client

    async def open(self) -> None:
        """Ask who we are and what is there; then offer what an earlier console left behind.

        Raises:
            Unavailable: no answer; the caller says so and tries again.
        """
        try:
            if self._client is None:
                self._client = self._factory()
            about = await self._client.about()
        except Refused as error:
            notice = told(error)
            self._app.notice = Notice("error", notice.text, lasts=True)
            return
        self._app.places.learn(about)
        self._app.about = about
        self._app.places.begin()
        self._app.tokens.begin(about)
        if about.notice is not None:
            # Nothing can be gone on with here, so nothing of that is offered.
            self._app.notice = Notice("warning", safe(about.notice), lasts=True)
            return
        # Apart from this: that the runs can be read must not end the banner of a place that cannot be.
        self._app.run_worker(
            Deferred(self._app.guarded(Deferred(self._look_behind()))), group="behind", exit_on_error=False
        )

    def answered(self) -> None:
        """Something was read: end the banner of a backend that is tried again."""
        if self._app.notice is not None and self._app.notice.retry is not None:
            self._app.notice = None

    async def close(self) -> None:
        """Let go of the backend."""
        if self._client is not None:
            await self._client.close()

    async def _look_behind(self) -> None:
        self._offer([run for run in await self.client.runs.list() if run.interrupted])

    def _offer(self, runs: list[RunModel]) -> None:
        if not runs:
            return
        key, resume = self._app.key_of("go_runs"), self._app.key_of("pause")
        left = sum(run.counts.get("pending", 0) for run in runs)
        text = phrase(
            "Nobody works on {} with {} left. {} goes to Runs, where {} resumes.",
            counted(len(runs), "run"),
            counted(left, "item"),
            key,
            resume,
        )
        self._app.notice = Notice("warning", text, lasts=True)
