"""The OpenAPI 3.1 description, made from the models that check what comes in and shape what goes out. Pure."""

from __future__ import annotations

import functools
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from web.api import advice_schemas as advice
from web.api import archive_schemas as archives
from web.api import report_schemas as reports
from web.api import schemas

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_WORDS: Final = {
    "400": "The body is no JSON.",
    "401": "No token, or one that is unknown or revoked.",
    "404": "There is no such job or archive.",
    "406": "None of the media types that the answer may have.",
    "409": "The job or archive is in a state that does not allow this; `state` says which state a job is in.",
    "413": "The body is larger than 1 MB.",
    "415": "The body is not application/json.",
    "422": "A field or parameter does not fit; `errors` names every one.",
    "429": "Too many requests; `Retry-After` says how long to wait.",
    "500": "A fault of ours; `incident` finds it in the log.",
    "503": "The database cannot be reached at the moment.",
}
_ALWAYS: Final = ("401", "429", "500", "503")
_BODY: Final = ("400", "413", "415", "422")
_IN: Final = (
    schemas.NewJobIn, schemas.RetryIn, schemas.ReplayIn, schemas.NothingIn, archives.KeepIn, archives.CustomerIn,
    archives.CloseIn, archives.DestroyIn, advice.CheckIn,
)  # fmt: skip
_OUT: Final = (
    schemas.Job, schemas.JobList, schemas.FailureList, schemas.Problem, archives.Archive, archives.ArchiveList,
    advice.Checked, reports.Report,
)  # fmt: skip


@functools.cache
def document() -> dict[str, Any]:
    """The whole description."""
    models = [*((model, "validation") for model in _IN), *((model, "serialization") for model in _OUT)]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # a list is invariant
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postwagen",
            "version": "1",
            "summary": "Moves mailboxes: over IMAP, by POP3, through archives.",
            "description": "Tokens are made with `postwagen token create NAME`. Times are UTC (RFC 3339).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {**_paths(), **_quarantine_paths(), **_archive_paths()},
        "components": {
            "schemas": found["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    job = "/api/v1/jobs/{id}"
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    paths: dict[str, Any] = {
        "/api/v1/openapi.json": {
            "get": {
                "operationId": "describe",
                "summary": "This description",
                "security": [],
                "responses": {"200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {}}}}},
            }
        },
        "/api/v1/check": {
            "post": _operation(
                "check", "Both doors of an old server, which way its mailbox goes, what will not fit", "Checked", "200",
                _BODY, takes="CheckIn",
            ),
        },
        "/api/v1/jobs": {
            "post": _operation("createJob", "A new job", "Job", "201", _BODY, takes="NewJobIn", located=True),
            "get": _operation(
                "listJobs", "Jobs, newest first", "JobList", "200", ("422",),
                parameters=[_state(), _text("q", "Part of an address or host, or a number."), _limit(50), _cursor()],
            ),
        },
        job: {"parameters": [number], "get": _operation("getJob", "One job", "Job", "200", ("404", "422"))},
        f"{job}/failures": {
            "parameters": [number],
            "get": _operation(
                "listFailures", "Messages that were not carried", "FailureList", "200", ("404", "422"),
                parameters=[_limit(100), _cursor()],
            ),
        },
        f"{job}/report": {"parameters": [number], "get": _report()},
    }  # fmt: skip
    for verb, summary, takes in (
        ("pause", "Stop for now", "NothingIn"),
        ("resume", "Go on", "NothingIn"),
        ("cancel", "End for good; passwords are wiped, what was carried stays", "NothingIn"),
        ("retry", "Try again what is blocked, incomplete or failed", "RetryIn"),
    ):
        operation = _operation(f"{verb}Job", summary, "Job", "200", ("404", "409", *_BODY), takes=takes, optional=True)
        paths[f"{job}/{verb}"] = {"parameters": [number], "post": operation}
    return paths


def _report() -> dict[str, Any]:
    form = {"name": "format", "in": "query", "description": "Instead of the Accept header.",
            "schema": {"enum": ["json", "csv", "pdf"]}}  # fmt: skip
    found = _operation("getReport", "What a job did, with every exception", "Report", "200", ("404", "406", "422"),
                       parameters=[form])  # fmt: skip
    found["responses"]["200"]["content"] |= {"text/csv": {"schema": {}}, "application/pdf": {"schema": {}}}
    return found


def _quarantine_paths() -> dict[str, Any]:
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    return {
        "/api/v1/jobs/{id}/replay": {
            "parameters": [number],
            "post": _operation(
                "replayJob",
                "A new job that puts in what lies in quarantine",
                "Job",
                "201",
                ("404", "409", *_BODY),
                takes="ReplayIn",
                optional=True,
                located=True,
            ),
        },
        "/api/v1/quarantine/{id}": {
            "parameters": [number],
            "get": _stream(
                "getQuarantined", "The octets of a message that the new server would not take", "message/rfc822", []
            ),
        },
    }


def _archive_paths() -> dict[str, Any]:
    one = "/api/v1/archives/{id}"
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    at = _text("at", "The latest point in time until then, with its zone; without it the latest.")
    kind = {"name": "format", "in": "query", "schema": {"enum": ["mbox", "eml", "maildir"], "default": "mbox"}}
    paths: dict[str, Any] = {
        "/api/v1/archives": {
            "get": _operation(
                "listArchives", "Archives, newest first", "ArchiveList", "200", ("422",),
                parameters=[_text("q", "Part of an address or account, or a number."), _limit(50), _cursor()],
            ),
        },
        one: {"parameters": [number], "get": _operation("getArchive", "One archive", "Archive", "200", ("404", "422"))},
        f"{one}/keep": {
            "parameters": [number],
            "put": _operation(
                "keepArchive", "What comes by itself from now on: passes, and removals over POP3", "Archive", "200",
                ("404", "409", *_BODY), takes="KeepIn",
            ),
        },
        f"{one}/export": {
            "parameters": [number],
            "get": _stream("exportArchive", "All mail of a point in time as a zip file", "application/zip",
                           [kind, at, _text("folder", "Only this one, by its full name.")]),
        },
        f"{one}/manifest": {
            "parameters": [number],
            "get": _stream("getManifest", "The signed manifest of a point in time", "application/jsonl", [at]),
        },
    }  # fmt: skip
    for verb, summary, takes in (
        ("customer", "Let the customer fetch it, or no more", "CustomerIn"),
        ("close", "The transfer is closed: the archive gets an expiry date", "CloseIn"),
        ("reopen", "The transfer goes on after all: no expiry date", "NothingIn"),
        ("destroy", "Destroy the key now and for good", "DestroyIn"),
    ):
        operation = _operation(
            f"{verb}Archive", summary, "Archive", "200", ("404", "409", *_BODY), takes=takes,
            optional=takes in ("CloseIn", "NothingIn"),
        )  # fmt: skip
        paths[f"{one}/{verb}"] = {"parameters": [number], "post": operation}
    return paths


def _stream(name: str, summary: str, mimetype: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    found = _operation(name, summary, "Problem", "200", ("404", "409", "422"), parameters=parameters)
    found["responses"]["200"]["content"] = {mimetype: {"schema": {}}}
    return found


def _operation(
    name: str,
    summary: str,
    gives: str,
    status: str,
    errors: tuple[str, ...],
    *,
    takes: str = "",
    optional: bool = False,
    located: bool = False,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    good: dict[str, Any] = {"description": summary, "content": {"application/json": {"schema": _reference(gives)}}}
    if located:
        good["headers"] = {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}}
    failures = {code: {"description": _WORDS[code], "content": _PROBLEM} for code in sorted({*errors, *_ALWAYS})}
    found: dict[str, Any] = {"operationId": name, "summary": summary, "responses": {status: good, **failures}}
    if takes:
        content = {"application/json": {"schema": _reference(takes)}}
        found["requestBody"] = {"required": not optional, "content": content}
    return {**found, "parameters": parameters} if parameters else found


def _reference(model: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model}"}


def _text(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}


def _state() -> dict[str, Any]:
    schema = {"type": "array", "items": _reference("JobState")}
    meaning = "Only jobs in these states, comma-separated."
    return {"name": "state", "in": "query", "description": meaning, "style": "form", "explode": False, "schema": schema}


def _limit(default: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": 200, "default": default}
    return {"name": "limit", "in": "query", "schema": schema}


def _cursor() -> dict[str, Any]:
    return _text("cursor", "`next_cursor` of the page before.")
