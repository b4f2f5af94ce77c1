"""The words in which a command bus in PostgreSQL is read: fields as columns, our statements, places between rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tui_app.database.encodings import unescaped_json
from tui_app.database.postgres_pages import PostgresPages
from tui_app.database.postgres_rows import moment
from tui_app.database.statements import load
from tui_app.database.where import Field
from tui_app.domain.describe import Kind
from tui_app.systems.commands import rules
from tui_app.systems.commands.words import LONGEST_ERROR

FIELDS: Mapping[str, Field] = {
    name: Field(column, rules.KINDS[name], nullable=nullable)
    for name, column, nullable in (
        ("id", "(c.domain || '/' || c.command_id)", False),
        ("type", "c.command_type", False),
        ("status", "c.status", False),
        ("error_code", "coalesce(c.last_error_code, '')", False),
        ("error", "c.last_error_msg", True),
        ("attempts", "c.attempts", False),
        ("reply_queue", "c.reply_queue", False),
        ("updated", "c.updated_at", False),
        ("domain", "c.domain", False),
        ("command_id", "c.command_id::text", False),
        ("correlation_id", "c.correlation_id::text", True),
        ("batch", "c.batch_id::text", True),
        ("queue", "c.queue_name", False),
        ("created", "c.created_at", False),
        ("error_type", "c.last_error_type", True),
        ("max_attempts", "c.max_attempts", False),
    )
}

# The reply goes out in the transaction of its entry.
_TOLD = """c.status = 'IN_TROUBLESHOOTING_QUEUE' AND c.reply_queue <> '' AND EXISTS (
    SELECT FROM commandbus.audit AS b
    WHERE b.command_id = c.command_id AND b.domain = c.domain AND b.event_type = 'OPERATOR_CANCEL'
      AND b.details_json ->> 'reply_to' <> '')"""
_RIGHTS = load("tui_app.systems.commands", "postgres_rights.sql")
_FRAGMENTS = {
    "{id}": FIELDS["id"].sql,
    # Workers and operators stamp a row whenever they change it; the attempts tell two changes of one moment apart.
    "{version}": f"({moment('c.updated_at')} || '/' || c.attempts)",
    "{reply_fault}": f"coalesce(q.fault, CASE WHEN {_TOLD} THEN '{rules.ALREADY_TOLD}' END)",
    "{has_process}": "coalesce(has_table_privilege(to_regclass('commandbus.process'), 'SELECT'), false)",
    "{now}": moment("now()"),
    "{at}": moment("a.ts"),
}


def _shown(name: str) -> str:
    field = FIELDS[name]
    column = moment(field.sql) if field.kind is Kind.TIME else field.sql
    if name == "error":
        column = f"left({column}, {LONGEST_ERROR})"
    return f"{column} AS {name}"


def _prepared(statement: str) -> str:
    columns = [*map(_shown, FIELDS), "{version} AS version", "{reply_fault} AS reply_fault"]
    statement = statement.replace("{columns}", ", ".join(columns))
    for name, text in _FRAGMENTS.items():
        statement = statement.replace(name, text)
    # These are made of each other, each of those that stand before it in its file.
    for name, text in reversed(list(_RIGHTS.items())):
        statement = statement.replace(f"{{{name}}}", text)
    return statement


SQL: Mapping[str, str] = {
    name: _prepared(statement) for name, statement in load("tui_app.systems.commands", "postgres.sql").items()
}

PAGES = PostgresPages(
    fields=FIELDS,
    searched=rules.SEARCHED,
    ids={"c.domain": "%s", "c.command_id": "%s::uuid"},
    split=rules.split_id,
    sql=SQL,
    as_of="c.updated_at <= %s::timestamptz",
)


def listed(ids: Iterable[str], *more: tuple[str, Sequence[str]]) -> str:
    """Ids as the JSON that the statements unfold, with further columns by name.

    One JSON text takes a tenth of the time that arrays take to be quoted.
    """
    split = (rules.split_id(item_id) for item_id in ids)
    records = [{"domain": domain, "command_id": command_id} for domain, command_id in split]
    for name, values in more:
        for record, value in zip(records, values, strict=True):
            record[name] = value
    return unescaped_json(records)
