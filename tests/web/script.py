"""A program that uses the API with a token of its own; every answer is held against the description."""

from __future__ import annotations

import json
import re
from typing import Any

from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from web.api import openapi

SECRET = "Sehr-Geheim-4711"
SOURCE = {"protocol": "imap", "host": "imap.old.example", "port": 993, "security": "tls", "user": "a@old.example",
          "password": SECRET}  # fmt: skip
TARGET = {**SOURCE, "host": "imap.new.example", "user": "a@new.example"}
ORDER = {"kind": "copy", "source": SOURCE, "target": TARGET, "options": {}}
JOBS = "/api/v1/jobs"


class Script:
    """A program with a token; every answer that it gets is held against the description."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, *, json_body: Any = None, **more: Any) -> TestResponse:
        headers = {**self.headers, **more.pop("headers", {})}
        if json_body is not None:
            more |= {"data": json.dumps(json_body), "content_type": "application/json"}
        answer = self.client.open(path, method=method, headers=headers, **more)
        fits_description(method, path, answer)
        return answer

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, json_body=body, **more)


def fits_description(method: str, path: str, answer: TestResponse) -> None:
    """The status, the media type and the body are those that OpenAPI names for this address."""
    document = openapi.document()
    plain = re.sub(r"/(jobs|archives|quarantine)/\d+", r"/\1/{id}", path.partition("?")[0])
    operation = document["paths"].get(plain, {}).get(method.lower())
    if operation is None:
        assert answer.status_code in (401, 404, 405)
        schema: dict[str, Any] = {"$ref": "#/components/schemas/Problem"}
    else:
        described = operation["responses"].get(str(answer.status_code))
        assert described, f"{method} {plain} does not describe {answer.status_code}"
        assert answer.mimetype in described["content"]
        schema = described["content"][answer.mimetype]["schema"]
    if not schema:  # octets
        return
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json)
