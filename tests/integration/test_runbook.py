"""The runbook for cancelling a case, carried out as it is written: with curl, against `quash serve` in a process."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from support import services
from tui_app.domain import moments
from tui_app.systems.cases import demo

USER, STRANGER = "jane@example.com", "stranger@example.com"
POLLS = 2_000
BODY = {"reason": "operational_request", "notes": "Cancelled via OpsGuide", "notify_stakeholders": True}
# Reading is not held back here, since the status is asked for until the case is cancelled.
PROFILE = """
[profiles.runbook]
environment = "test"
[profiles.runbook.cases]
native_rate = "{rate}"
native_read_rate = "1000/second"
"""


@dataclass(frozen=True)
class Answer:
    """What curl printed: status, headers in lower case, and the body."""

    status: int
    headers: dict[str, str]
    body: dict


@dataclass
class Runbook:
    """The service, tokens for it, the case management's own file, and curl."""

    url: str
    path: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def curl(self, method: str, path: str, *more: str, user: str = USER) -> Answer:
        """One request with the headers that every step has; the last answer, where curl had to ask again."""
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--include"]
        command += ["--request", method, "--header", f"Authorization: Bearer {self.tokens[user]}"]
        command += ["--header", f"X-User-ID: {user}", *more, f"{self.url}{path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout[done.stdout.rindex("HTTP/1.1") :].partition("\n\n")
        first, *lines = head.splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(int(first.split()[1]), headers, json.loads(body))

    def cancel(self, case_id: str, *more: str, key: str = "", user: str = USER) -> Answer:
        given = ("--header", f"X-Idempotency-Key: {key or uuid4()}", "--header", "Content-Type: application/json")
        return self.curl(
            "POST", f"/api/v2/cases/{case_id}/cancel", *given, "--data", json.dumps(BODY), *more, user=user
        )

    def rows(self, query: str, *values: object) -> list[tuple]:
        """What stands in the case management's own file."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()

    def one(self, condition: str) -> str:
        """A case that nobody here has cancelled yet."""
        query = f"SELECT id FROM cases WHERE {condition} AND assigned_to <> ? ORDER BY updated_at DESC LIMIT 1"
        [(case_id,)] = self.rows(query, STRANGER)
        return str(case_id)


FREE = "status = 'in_progress' AND hold = ''"


@pytest.fixture(scope="module")
def curl() -> None:
    if shutil.which("curl") is None:
        why = "the runbook is carried out with curl, and there is none: install it"
        if services.REQUIRED:
            pytest.fail(why)
        pytest.skip(why)


def served(folder: Path, rate: str) -> Iterator[Runbook]:
    """`quash serve` on a folder with demo cases."""
    config = folder / "config.toml"
    config.write_text(PROFILE.format(rate=rate), encoding="utf-8")
    common = ["--profile", "runbook", "--config", str(config), "--data", str(folder / "data")]
    quash = [sys.executable, "-m", "tui_app"]
    path = folder / "data" / "profiles" / "runbook" / "cases.db"
    path.parent.mkdir(parents=True, mode=0o700)
    demo.seed(path, 200, datetime.now(UTC))
    serve = [*quash, "serve", "--port", "0", "--output", "json", *common]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUASH_")}
    process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    with process.stderr as said:
        try:
            told = [json.loads(said.readline())["message"] for _ in range(2)]
            runbook = Runbook(told[0].rpartition(" ")[2].removesuffix("/v1"), path)
            for user, permissions in ((USER, ("--permission", "cancel_case")), (STRANGER, ())):
                issue = [*quash, "token", "--user", user, *permissions, *common]
                made = subprocess.run(issue, capture_output=True, text=True, timeout=60, check=True, env=environment)
                runbook.tokens[user] = made.stdout.strip()
            yield runbook
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def runbook(curl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runbook]:
    """With so high a limit that only the test of the limit meets it."""
    yield from served(tmp_path_factory.mktemp("runbook"), "1000/second")


def error(answer: Answer) -> dict:
    told = answer.body["error"]
    assert set(told) == {"code", "message", "details", "request_id", "timestamp"}
    return told


def test_from_pre_checks_to_post_checks(runbook):
    case_id = runbook.one(FREE)
    one = f"/api/v2/cases/{case_id}"

    # Pre-checks
    permission = runbook.curl("GET", f"/api/v1/users/{USER}/permissions/cancel_case")
    assert (permission.status, permission.body["allowed"]) == (200, True)
    exists = runbook.curl("GET", one)
    assert (exists.status, exists.body["case_id"]) == (200, case_id)
    status = runbook.curl("GET", f"{one}/status")
    assert (status.status, status.body["status"]) == (200, "in_progress")

    # Procedure
    preview = runbook.curl("GET", f"{one}/cancel/preview")
    assert preview.status == 200
    impact = preview.body["impact_assessment"]
    assert impact["rollback_available"] is True
    key = str(uuid4())
    accepted = runbook.cancel(case_id, key=key)
    assert (accepted.status, accepted.body["status"]) == (200, "processing")

    # Post-checks
    for _ in range(POLLS):
        status = runbook.curl("GET", f"{one}/status")
        if status.body["status"] == "cancelled":
            break
        assert status.body["status"] == "cancelling"
    assert status.body["status"] == "cancelled"
    audit = runbook.curl("GET", f"{one}/audit-log")
    [entry] = [one for one in audit.body["audit_entries"] if one["event"] == "CASE_CANCELLED"]
    assert entry["user_id"] == USER
    assert entry["details"]["notes"] == BODY["notes"]
    assert entry["details"]["idempotency_key"] == key

    # What the preview said has happened, by the case management's own tables.
    sent = runbook.rows("SELECT text FROM notification WHERE case_id = ? AND status = 'sent'", case_id)
    assert len(sent) == impact["notifications_count"]
    assert all(BODY["notes"] in text for (text,) in sent)
    assert runbook.rows("SELECT DISTINCT status FROM workflow WHERE case_id = ?", case_id) == [("ended",)]
    assert runbook.rows("SELECT DISTINCT status FROM record WHERE case_id = ?", case_id) == [("case_cancelled",)]
    [(cancelled_at, deadline)] = runbook.rows("SELECT updated_at, rollback_deadline FROM cases WHERE id = ?", case_id)
    assert (moments.read(deadline) - moments.read(cancelled_at)).total_seconds() == 7_200


def test_rolled_back_within_the_window(runbook):
    untouched = "NOT EXISTS (SELECT 1 FROM record WHERE case_id = cases.id AND acted_at IS NOT NULL)"
    now = moments.stamp(datetime.now(UTC))
    case_id = runbook.one(f"status = 'cancelled' AND rollback_deadline > '{now}' AND {untouched}")
    wish = {"reason": "rollback_cancellation", "restore_previous_state": True, "notes": "cancelled by mistake"}
    given = ("--header", f"X-Idempotency-Key: {uuid4()}", "--header", "Content-Type: application/json")
    answer = runbook.curl("POST", f"/api/v2/cases/{case_id}/reinstate", *given, "--data", json.dumps(wish))
    assert answer.status == 200
    assert runbook.curl("GET", f"/api/v2/cases/{case_id}/status").body["status"] == answer.body["restored_status"]


@pytest.mark.parametrize("status", ["cancelled", "closed"])
def test_400_an_invalid_state(runbook, status):
    answer = runbook.cancel(runbook.one(f"status = '{status}'"))
    told = error(answer)
    assert (answer.status, told["code"]) == (400, "INVALID_CASE_STATE")
    assert told["details"]["case_status"] == status


def test_403_neither_permission_nor_ownership(runbook):
    case_id = runbook.one(FREE)
    answer = runbook.cancel(case_id, user=STRANGER)
    assert (answer.status, error(answer)["details"]["missing"]) == (403, ["cancel_case", "assigned_to"])
    refused = "SELECT user_id FROM audit WHERE case_id = ? AND event = 'CASE_CANCEL_REFUSED'"
    assert runbook.rows(refused, case_id) == [(STRANGER,)]
    assert runbook.curl("GET", f"/api/v2/cases/{case_id}/status").body["status"] == "in_progress"


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("active_hold AND status = 'under_review'", "ACTIVE_HOLD"),
        ("related_orders_status = 'in_progress'", "RELATED_ORDER"),
        ("critical_alerts > 0", "CRITICAL_ALERT"),
    ],
)
def test_409_a_hold_or_a_dependency(runbook, condition, code):
    case_id = runbook.one(condition)
    answer = runbook.cancel(case_id)
    told = error(answer)
    assert (answer.status, told["code"]) == (409, code)
    [(hold,)] = runbook.rows("SELECT hold FROM cases WHERE id = ?", case_id)
    assert hold in told["message"]
    dependencies = runbook.curl("GET", f"/api/v2/cases/{case_id}/dependencies")
    assert dependencies.body["dependencies"] == told["details"]["dependencies"]


def test_429_and_the_same_key_again(curl, tmp_path):
    """curl waits as long as `Retry-After` says, and sends the same request with the same key."""
    opened = served(tmp_path, "1/second")
    runbook = next(opened)
    try:
        ids = [row[0] for row in runbook.rows(f"SELECT id FROM cases WHERE {FREE} ORDER BY id")]
        key = refused = None
        for case_id in ids:
            key = str(uuid4())
            answer = runbook.cancel(case_id, key=key)
            if answer.status == 429:
                refused = case_id
                break
            assert answer.status == 200
        assert refused is not None, "a service that allows one a second was never asked twice within one"
        assert error(answer)["code"] == "RATE_LIMIT_EXCEEDED"
        assert answer.headers["retry-after"] == "1"
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("1", "0")
        assert int(answer.headers["x-ratelimit-reset"]) > 0
        assert runbook.rows("SELECT count(*) FROM cancellation WHERE case_id = ?", refused) == [(0,)]
        again = runbook.cancel(refused, "--retry", "5", key=key)
        assert again.status == 200
        assert runbook.rows("SELECT key FROM cancellation WHERE case_id = ?", refused) == [(key,)]
    finally:
        opened.close()
