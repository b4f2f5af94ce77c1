"""Two case servers, each as its makers publish it: the bodies are those of the specification, and nothing is added.

The older generation has its paths under ``/v2/cases`` and an audit of ``status_changed`` entries. The newer one has
``/lims-api/case``, PATCH, a status that is a plain JSON string, and a flat audit. What they did stands in ``effects``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote

USER = "jane@example.com"
Answer = tuple[int, Any]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Case:
    status: str = "in_progress"
    before: str = ""
    looks: int = 0
    audit: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Published:
    """What both have in common: cases, what was asked, and what was done."""

    cases: dict[str, Case] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
        with self.lock:
            self.asked.append((method, path))
            self.headers.append(headers)
            if headers.get("authorization") != "Bearer opaque":
                return self.error(401, "UNAUTHORIZED", "Authentication is required")
            parts = [unquote(part) for part in path.strip("/").split("/")]
            return self.route(method, parts, headers, body)

    def route(self, method: str, parts: list[str], headers: Mapping[str, str], body: Any) -> Answer:
        raise NotImplementedError

    def error(self, status: int, code: str, message: str) -> Answer:
        raise NotImplementedError


class OlderCases(Published):
    """The older generation."""

    def error(self, status: int, code: str, message: str) -> Answer:
        told = {"code": code, "message": message, "details": {}, "request_id": "req_123", "timestamp": now()}
        return status, {"error": told}

    def route(self, method: str, parts: list[str], headers: Mapping[str, str], body: Any) -> Answer:
        match method, parts:
            case "GET", ["v2", "cases", case_id, "status"] if case_id in self.cases:
                return 200, self.status(case_id, self.cases[case_id])
            case "GET", ["v2", "cases", case_id, "dependencies"] if case_id in self.cases:
                facts = {"active_hold": False, "related_orders_status": "completed", "critical_alerts": 0}
                return 200, {"case_id": case_id, **facts, "dependencies": []}
            case "GET", ["v2", "cases", case_id, "cancel", "preview"] if case_id in self.cases:
                return 200, self.preview(case_id)
            case "GET", ["v2", "cases", case_id, "audit-log"] if case_id in self.cases:
                return 200, {"case_id": case_id, "audit_entries": self.cases[case_id].audit}
            case "POST", ["v2", "cases", case_id, "cancel" | "reinstate" as step] if case_id in self.cases:
                if headers.get("x-user-id") != USER or not headers.get("x-idempotency-key"):
                    return self.error(400, "BAD_REQUEST", "X-User-ID and X-Idempotency-Key are required")
                return getattr(self, step)(case_id, self.cases[case_id], body)  # type: ignore[no-any-return]
            case _, ["v2", "cases", _, "status" | "dependencies" | "audit-log" | "cancel" | "reinstate", *_]:
                return self.error(404, "CASE_NOT_FOUND", "Case not found")
        return self.error(404, "ROUTE_NOT_FOUND", "Route not found")

    def status(self, case_id: str, case: Case) -> dict[str, Any]:
        if case.status == "processing":
            case.looks += 1
            if case.looks > 1:
                self.record(case, "cancelled", "operational_request")
        meta = {"age_days": 5, "priority": "normal", "environment": "production"}
        times = {"created_at": "2024-11-25T10:00:00Z", "updated_at": "2024-11-30T14:00:00Z"}
        return {"case_id": case_id, "status": case.status, **times, "assigned_to": "user_456", "metadata": meta}

    def preview(self, case_id: str) -> dict[str, Any]:
        until = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        impact = {"billing_affected": False, "notifications_count": 3, "downstream_systems": ["billing", "reporting"]}
        impact |= {"estimated_duration": "2-5 minutes", "rollback_available": True, "rollback_deadline": until}
        return {"case_id": case_id, "impact_assessment": impact, "warnings": []}

    def cancel(self, case_id: str, case: Case, body: Mapping[str, Any]) -> Answer:
        if case.status in ("cancelled", "processing"):
            return self.error(400, "INVALID_STATE", "Invalid case state")
        assert body["reason"] == "operational_request"
        case.before, case.status, case.looks = case.status, "processing", 0
        self.effects.append(case_id)
        until = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {"cancellation_id": "cancel_789", "status": "processing", "estimated_completion": now()}
        return 200, {"case_id": case_id, **told, "rollback_deadline": until}

    def reinstate(self, case_id: str, case: Case, body: Mapping[str, Any]) -> Answer:
        if case.status != "cancelled":
            return self.error(400, "INVALID_STATE", "Case not in cancelled state")
        self.record(case, case.before, body["reason"])
        told = {"reinstatement_id": "reinstate_456", "restored_status": case.status, "timestamp": now()}
        return 200, {"case_id": case_id, **told}

    def record(self, case: Case, status: str, reason: str) -> None:
        before = case.before if case.status == "processing" else case.status
        details = {"previous_status": before, "new_status": status, "reason": reason}
        case.audit.append({"event": "status_changed", "timestamp": now(), "user_id": USER, "details": details})
        case.status = status


@dataclass
class LimsCases(Published):
    """The newer generation; it may keep no audit."""

    audited: bool = True

    def error(self, status: int, code: str, message: str) -> Answer:
        return status, {"status": status, "message": message}

    def route(self, method: str, parts: list[str], headers: Mapping[str, str], body: Any) -> Answer:
        given = {"role-name": "Production Support", "api-user": USER, "lab-id": "7", "discipline-name": "histology"}
        if any(headers.get(name) != value for name, value in given.items()) or not headers.get("time-zone"):
            return self.error(403, "", "Role-Name, Api-User, Lab-Id, Discipline-Name and Time-Zone are required")
        match method, parts:
            case "GET", ["lims-api", "case", case_id, "status"] if case_id in self.cases:
                return 200, self.cases[case_id].status
            case "GET", ["lims-api", "case", case_id, "audit-log"] if case_id in self.cases and self.audited:
                return 200, self.cases[case_id].audit
            case "PATCH", ["lims-api", "case", case_id, "cancel"] if case_id in self.cases:
                return self.cancel(case_id, self.cases[case_id])
        return self.error(404, "", f"No case or resource at /{'/'.join(parts)}")

    def cancel(self, case_id: str, case: Case) -> Answer:
        if case.status == "Canceled":
            return self.error(400, "", "Invalid case state")
        case.status = "Canceled"
        self.effects.append(case_id)
        entry = {"caseId": case_id, "status": "Canceled", "modifiedBy": USER, "modifiedDateTime": now()}
        case.audit.append(entry)
        return 200, entry


@contextmanager
def published(server: Published) -> Iterator[str]:
    """The address of one of these, in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer in one piece: of two, the second waits for the client to have heard of the first.
        wbufsize = -1

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = server.answer(self.command, self.path.partition("?")[0], headers, body)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            # Whoever has gone meanwhile hears no answer.
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()

        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def do_PATCH(self) -> None:
            self.respond()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join(10)
