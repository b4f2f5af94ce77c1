"""``list`` and ``show``: what is there, and what cancelling it would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tui_app.cli.exits import Exit
from tui_app.cli.output import Record
from tui_app.cli.session import connected, describe
from tui_app.cli.table import Column
from tui_app.cli.telling import now
from tui_app.domain.describe import Kind
from tui_app.domain.errors import NotFound
from tui_app.domain.items import MAX_ID
from tui_app.domain.moments import ahead
from tui_app.domain.visible import as_written

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient
    from tui_app.contract.models import ItemModel, PageModel, PreviewModel, SystemModel, TrailModel, VerdictModel

VERDICT = Column("verdict", "Verdict", priority=1)
"""What every list has beside the columns of its system."""


async def list_items(call: Call) -> Exit:
    """A page of items."""
    asked = call.arguments
    async with connected(call) as client:
        about, system = await describe(client, asked.system)
        page = await client.items.page(
            asked.system,
            filter=asked.filter,
            sort=asked.sort,
            limit=asked.limit,
            after=asked.after,
            count=True,
        )
    rows = [item.model_dump(mode="json") for item in page.items]
    around = {
        "system": page.system,
        "total": page.total if page.exact else None,
        "at_least": page.total,
        "as_of": page.as_of,
        "next": page.next,
        "cut": page.next is not None and len(rows) < asked.limit,
    }
    call.output.rows("quash.items.v1", "items", rows, _columns(system), around=around, flat=_flat)
    _tell_page(call, len(rows), page)
    if not rows and not asked.filter and about.profile == "local":
        call.talk.say("there is nothing here; `quash demo` makes data to try it on")
    return Exit.DONE


def _tell_page(call: Call, shown: int, page: PageModel) -> None:
    """How much of it this is: for a person always, for a script where it is less than it asked for."""
    of = "" if page.total is None else f" of {'' if page.exact else 'at least '}{page.total:,}"
    further = f"; go on with --after {page.next}" if page.next else ""
    if page.next and shown < call.arguments.limit:
        call.talk.tell(f"cut: {shown:,}{of}, and not {call.arguments.limit:,}: no more could be read{further}")
    elif call.output.form == "table":
        call.talk.say(f"{shown:,}{of}{further}")


def _columns(system: SystemModel) -> list[Column]:
    columns = [
        Column(
            column.field,
            column.title,
            MAX_ID if column.kind == Kind.ID else 40,
            priority=0 if column.kind == Kind.ID else column.priority,
            flexible=column.flexible or column.kind == Kind.TEXT,
            moment=column.kind in (Kind.TIME, Kind.DEADLINE),
            id=column.kind == Kind.ID,
        )
        for column in sorted(system.columns, key=lambda column: column.kind != Kind.ID)
        if column.field != VERDICT.field
    ]
    return [*columns, VERDICT]


def _flat(item: Record) -> Record:
    verdict = item["verdict"]
    told = "yes" if verdict["cancellable"] else verdict["code"]
    return {**item["fields"], "id": item["id"], "status": item["status"], "verdict": told}


async def show_item(call: Call) -> Exit:
    """One item with everything that is known of it."""
    system, item_id = call.arguments.system, call.arguments.id
    async with connected(call) as client:
        _, described = await describe(client, system)
        item = await client.items.get(system, item_id)
        preview = await client.items.preview(system, item_id)
        trail, unknown = await _trail(client, system, item_id)
    parts: dict[str, Any] = {
        "item": item.model_dump(mode="json"),
        "preview": preview.model_dump(mode="json"),
        "trail": [entry.model_dump(mode="json") for entry in trail],
        "trail_not_known": unknown,
    }
    call.output.one(
        "quash.item.v1", parts, lambda: (*_told(item, preview, described), "trail", *_trail_told(trail, unknown))
    )
    return Exit.DONE


async def _trail(client: BackendClient, system: str, item_id: str) -> tuple[list[TrailModel], str | None]:
    """The trail of an item that is there, and why it is not known, where its system shows none."""
    try:
        return await client.items.trail(system, item_id), None
    except NotFound as error:
        return [], error.message


def _told(item: ItemModel, preview: PreviewModel, system: SystemModel) -> Iterator[str]:
    deadlines = {column.field for column in system.columns if column.kind == Kind.DEADLINE}
    yield f"{item.system} {item.id}"
    yield f"  {_verdict(preview.verdict)}"
    for name, value in item.fields.items():
        if name != "id" and value not in (None, ""):
            off = f" ({ahead(str(value), now())})" if name in deadlines else ""
            yield f"  {name}: {value}{off}"
    for title, lines in (("what would happen", [line.text for line in preview.impact]), ("warnings", preview.warnings)):
        if lines:
            yield title
            yield from (f"  {line}" for line in lines)
    for section in preview.sections:
        yield section.title
        yield from (f"  {line}" for line in section.lines)


def _trail_told(trail: list[TrailModel], unknown: str | None) -> Iterator[str]:
    for entry in trail:
        yield f"  {entry.at}  {entry.event}" + (f"  by {entry.actor}" if entry.actor else "")
        yield from (f"    {name}: {as_written(value)}" for name, value in entry.details.items())
    if unknown is not None:
        yield f"  not known: {unknown}"
    elif not trail:
        yield "  no entries"


def _verdict(verdict: VerdictModel) -> str:
    return "can be cancelled" if verdict.cancellable else f"cannot be cancelled: {verdict.reason} ({verdict.code})"
