"""docs/api.md is for people, and true: addresses, fields, options, codes, actions and examples are those of the API."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import migrator
import web
from migrator.jobs.states import JobEvent, JobState, after
from migrator.planning.limits import Code
from web.api import archive_schemas, openapi, problems, reading, schemas

DOCUMENT = Path(web.__file__).parent.parent / "docs" / "api.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
API = openapi.document()


def table(title: str) -> list[list[str]]:
    """The cells of the table whose first column has this title."""
    rows = re.search(rf"^\| {title} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert rows, f"no table {title}"
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.group(1).splitlines()]


def named(title: str) -> set[str]:
    """Every name in the first column."""
    return {name for row in table(title) for name in re.findall(r"`([^`]+)`", row[0])}


def operations() -> dict[str, dict[str, Any]]:
    """`POST /api/v1/jobs` → its description."""
    return {f"{method.upper()} {path}": operation for path, item in API["paths"].items()
            for method, operation in item.items() if method != "parameters"}  # fmt: skip


def fits(schema: str, value: object) -> None:
    Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": API["components"]}).validate(value)


def test_every_address_is_named_with_the_status_that_it_answers() -> None:
    assert named("Request") == set(operations())
    for request, _does, answers in table("Request"):
        (good,) = (code for code in operations()[request.strip("`")]["responses"] if code.startswith("2"))
        assert answers.startswith(good), request


@pytest.mark.parametrize(("title", "model"), [("Field", "Endpoint"), ("Option", "Options"), ("Keep", "KeepIn")])
def test_every_field_and_option_is_explained(title: str, model: str) -> None:
    assert named(title) == set(API["components"]["schemas"][model]["properties"])


def test_every_finding_is_explained() -> None:
    assert named("Finding") == set(Code)


def test_every_parameter_is_explained() -> None:
    known = {one["name"] for operation in operations().values() for one in operation.get("parameters", ())}
    assert named("Parameter") | named("Fetching") == known
    assert f"1 to {reading.MOST}" in TEXT


def test_every_state_and_every_way_between_them_is_the_real_one() -> None:
    assert {f"`{state}`" for state in JobState} <= set(
        re.findall(r"`\w+`", TEXT.partition("`state` is one of")[2][:400])
    )
    assert named("Action") == {"pause", "resume", "cancel", "retry"}
    for action, allowed, leads in table("Action"):
        event = JobEvent(action.strip("`"))
        moves = {state: after(state, event) for state in JobState}
        assert set(re.findall(r"`(\w+)`", allowed)) == {state for state, there in moves.items() if there}
        assert leads == f"`{next(there for there in moves.values() if there)}`"


def codes_in_use() -> dict[str, set[int]]:
    """Codes with their status, as the handlers of the API and of errors write them."""
    found: dict[str, set[int]] = {code: {status} for status, (code, _) in problems._CODES.items()}
    for path in [*Path(web.__file__).parent.glob("api/*.py"), Path(web.__file__).with_name("problems.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "problem":
                match node.args:
                    case [ast.Constant(int(status)), ast.Constant(str(code)), *_]:
                        found.setdefault(code, set()).add(status)
    return found


def test_every_problem_is_explained_and_every_explained_one_exists() -> None:
    explained = {row[0].strip("`"): row for row in table("Code")}
    used = codes_in_use()
    assert set(explained) - {"refused"} == set(used)
    for code, statuses in used.items():
        assert statuses == {int(explained[code][1])}, code
        assert len(explained[code]) == 4, code
        assert explained[code][3], f"{code}: what is to be done?"
    assert '"refused"' in Path(problems.__file__).read_text(encoding="utf-8")
    described = {int(code) for operation in operations().values() for code in operation["responses"]} - {200, 201}
    assert described <= {int(row[1]) for row in explained.values() if row[1].isdigit()}


def test_every_code_of_a_field_is_explained() -> None:
    jobs = Path(migrator.__file__).parent / "jobs"
    where = [
        jobs / name for name in ("orders.py", "operations.py", "making.py", "keeping/operations.py", "keeping/rows.py")
    ]
    orders = "".join(path.read_text(encoding="utf-8") for path in where)
    used = set(re.findall(r'(?:yield |append\(\(|Invalid\(\[\()[^,\n]+, "([a-z0-9_]+)", ', orders))
    used |= {"not_found", "archive_destroyed"}  # as the archive's errors are called
    here = Path(reading.__file__).read_text(encoding="utf-8")
    used |= set(re.findall(r'"(missing|invalid|unknown_field|unknown_parameter)"', here))
    assert named("Code of a field") == used


def test_the_limits_are_the_real_ones() -> None:
    from web import limits

    assert limits.CALLS_PER_BEARER == "1200 per minute"
    assert "1,200\ntimes a minute" in TEXT
    assert limits.GUESSES_PER_ADDRESS == "30 per minute"
    assert "30 times a minute" in TEXT
    assert reading.LARGEST_BODY == 1_000_000


def test_every_example_of_an_answer_is_as_the_api_answers() -> None:
    job, archive, problem = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))
    fits("Job", job)
    assert set(job) == set(schemas.Job.model_fields)
    fits("Archive", archive)
    assert set(archive) == set(archive_schemas.Archive.model_fields)
    fits("Problem", problem)


def test_every_example_of_a_request_is_one_that_the_api_takes() -> None:
    commands = re.findall(r"^curl .*(?:\\\n.*)*(?:\n[ }].*)*", TEXT, re.MULTILINE)
    asked = set()
    for command in commands:
        path = re.search(r"\$POSTWAGEN(/[^\"?]+)", command)
        assert path, command
        body = re.search(r"-d '(.*)'", command, re.DOTALL)
        said = re.search(r"-X ([A-Z]+)", command)
        method = said.group(1) if said else "POST" if body else "GET"
        request = f"{method} {re.sub('/[0-9]+', '/{id}', path.group(1))}"
        assert request in operations(), request
        assert 'Authorization: Bearer $TOKEN"' in command
        if body:
            assert 'Content-Type: application/json"' in command
            reference = operations()[request]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            fits(reference.rpartition("/")[2], json.loads(body.group(1)))
        asked.add(request)
    assert asked == set(operations()) - {"GET /api/v1/openapi.json"}
