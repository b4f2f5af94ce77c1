"""What crosses the wire about systems and their items. Names are those of the domain.

Unknown fields of an answer are ignored, those of a request are refused.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Wire(BaseModel):
    """Base of every model: built from domain values by attribute, immutable, tolerant of additions.

    A model's validator is built when it is first used: a start-up builds a handful of forty.
    """

    model_config = ConfigDict(from_attributes=True, frozen=True, extra="ignore", use_enum_values=True, defer_build=True)


class Asked(Wire):
    """Base of what a client asks for: a name that is not known is refused.

    Whoever misspells ``excluded`` must not cancel more than was meant.
    """

    model_config = ConfigDict(extra="forbid")


class ColumnModel(Wire):
    """One column of a table; see ``tui_app.domain.describe.Column``."""

    field: str
    title: str
    kind: str
    width: int
    flexible: bool
    priority: int
    sortable: bool
    groupable: bool


ID_COLUMN = ColumnModel(
    field="id", title="Id", kind="id", width=36, flexible=False, priority=1, sortable=False, groupable=False
)
"""The column of a system that names none for its ids."""


class SystemModel(Wire):
    """How a system describes itself; filters and sorts are in their text form.

    ``columns`` is a table that can be drawn, whatever a service tells: each field once, and the id among them.
    """

    system: str
    title: str
    one: str
    many: str
    id_example: str
    id_pattern: str = ""
    columns: list[ColumnModel]
    default_sort: str
    default_filter: str
    statuses: list[str]
    status_tones: dict[str, str]
    filterable: list[str]
    closed_values: dict[str, list[str]] = Field(default_factory=dict)
    untold: dict[str, str] = Field(default_factory=dict)
    verbs: list[str]
    reason_templates: list[str]
    reason_goes_to: str
    deadline: str | None = None
    notice: str = ""
    lists: bool

    @field_validator("columns")
    @classmethod
    def _drawable(cls, columns: list[ColumnModel]) -> list[ColumnModel]:
        once = list({column.field: column for column in reversed(columns)}.values())[::-1]
        if any(column.kind == "id" for column in once):
            return once
        return [ID_COLUMN, *(column for column in once if column.field != ID_COLUMN.field)]


SERVICE = "service"
"""The name under which the token for the service itself stands among those of its systems."""


class CredentialModel(Wire):
    """The token that is used for a system: when it ends, and whom it is for; null where that is not known.

    Whom it is for is what the token says, or its server where the token does not.
    """

    system: str
    expires_at: str | None
    acts_as: str | None = None


class About(Wire):
    """Who is asking, on which profile, and what is there.

    ``credentials`` has an entry for each system that is reached with a token. ``notice`` is a sentence that whoever
    opens a console is told.
    """

    version: str
    profile: str
    environment: str
    operator: str
    host: str
    read_only: bool
    cap: int | None
    store: str
    systems: list[SystemModel]
    credentials: list[CredentialModel] = Field(default_factory=list)
    notice: str | None = None


class VerdictModel(Wire):
    """May the item be cancelled now; if not, the code and the sentence."""

    cancellable: bool
    code: str | None = None
    reason: str | None = None


class ItemModel(Wire):
    """One row. Moments in ``fields`` are ISO 8601 in UTC."""

    system: str
    id: str
    status: str
    verdict: VerdictModel
    fields: dict[str, Any]


class PageModel(Wire):
    """Some rows in order.

    ``next`` and ``previous`` are cursors, null where there is nothing beyond. ``total`` and ``position`` (the number
    of the first row, from 1) are null where they were not asked for; ``exact`` says whether they are exact.
    """

    system: str
    items: list[ItemModel]
    total: int | None = None
    position: int | None = None
    exact: bool = True
    next: str | None = None
    previous: str | None = None
    as_of: str


class CountModel(Wire):
    """How many items a filter matches."""

    value: int
    exact: bool


MOST_IDS = 100_000
"""Ids that one request names at most."""


class ProbeModel(Wire):
    """One question to a system: what was asked, what came, and whether that was recognisably the system's own."""

    asked: str
    came: str
    recognised: bool


class ProbesModel(Wire):
    """What was asked of a system to tell it from others."""

    probes: list[ProbeModel]


class IdsRequest(Asked):
    """What somebody holds for ids of one system."""

    ids: list[str] = Field(max_length=MOST_IDS)


class MalformedModel(Wire):
    """What can be no id, and why."""

    id: str
    message: str


class IdsModel(Wire):
    """Ids in their one spelling, each once, and what can be none; whether there are such items was not asked."""

    ids: list[str]
    malformed: list[MalformedModel]


class ImpactLine(Wire):
    """One effect, in words. In a plan ``count`` says for how many items."""

    code: str
    text: str
    count: int = 1
    irreversible: bool = False
    warning: bool = False
    notifies: bool = False


class SectionModel(Wire):
    """A titled part of a preview, shown as it is; with ``detail`` only where everything of the item is shown."""

    title: str
    lines: list[str]
    detail: bool = False


class PreviewModel(Wire):
    """The verdict and impact of one item."""

    verdict: VerdictModel
    impact: list[ImpactLine]
    warnings: list[str]
    irreversible: bool
    sections: list[SectionModel] = Field(default_factory=list)


class TrailModel(Wire):
    """One of the system's own audit entries."""

    at: str
    event: str
    actor: str | None
    details: dict[str, Any]


class TrailsModel(Wire):
    """The trail of one item, oldest entry first."""

    trail: list[TrailModel]
