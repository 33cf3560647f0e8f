"""Reading a request strictly: bodies by their model, queries by their names."""

from __future__ import annotations

from typing import Final, TypeVar

from flask import Response, abort, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from migrator.jobs.states import JobState
from web.api import problems

M = TypeVar("M", bound=BaseModel)

LARGEST_BODY: Final = 1_000_000
MOST: Final = 200


def refuse(answer: Response) -> HTTPException:
    """An exception that carries this answer."""
    return HTTPException(response=answer)


def body(model: type[M], *, optional: bool = False) -> M:
    """The body as the model has it; every wrong field is named. Raises HTTPException: 400, 413, 415 or 422."""
    request.max_content_length = LARGEST_BODY
    raw = request.get_data(cache=False)
    if optional and not raw:
        return model()
    if request.mimetype != "application/json":
        abort(415)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(one["type"] == "json_invalid" for one in error.errors(include_input=False, include_url=False)):
            abort(400)
        raise refuse(problems.invalid(_errors(error))) from None


def _errors(error: ValidationError) -> list[dict[str, str]]:
    found = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        # pydantic names the members of unions as if they were levels of the body; ours begin with `[`
        steps = [str(step) for step in one["loc"] if not str(step).startswith("[")]
        place = [step.replace("~", "~0").replace("/", "~1") for step in steps]
        if one["type"] == "extra_forbidden":
            detail = f"There is no field {place[-1][:80]} here."
            found.append({"pointer": "/" + "/".join(place), "code": "unknown_field", "detail": detail})
        else:
            code = "missing" if one["type"] == "missing" else "invalid"
            found.append({"pointer": "/" + "/".join(place), "code": code, "detail": f"{one['msg']}."})
    return found


def query(*known: str) -> dict[str, str]:
    """The parameters of the query, each at most once; one that we do not know is refused, because it is a typing
    error that would show too much. Raises HTTPException: 422."""
    wrong = [_parameter(name, "unknown_parameter", f"There is no parameter {name[:80]} here.")
             for name in request.args if name not in known]  # fmt: skip
    wrong += [_parameter(name, "invalid", "Give it once.") for name in known if len(request.args.getlist(name)) > 1]
    if wrong:
        raise refuse(problems.invalid(wrong, "The query does not fit."))
    return request.args.to_dict()


def limit(given: dict[str, str], *, default: int) -> int:
    """How many rows a page has. Raises HTTPException: 422."""
    text = given.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST):
        wrong = _parameter("limit", "invalid", f"It must be a whole number from 1 to {MOST}.")
        raise refuse(problems.invalid([wrong], "The query does not fit."))
    return int(text)


def states(given: dict[str, str]) -> tuple[JobState, ...]:
    """The states asked for, comma-separated. Raises HTTPException: 422."""
    words = [word for word in given.get("state", "").split(",") if word]
    if not set(words) <= {state.value for state in JobState}:
        wrong = _parameter("state", "invalid", f"A state is one of {', '.join(JobState)}.")
        raise refuse(problems.invalid([wrong], "The query does not fit."))
    return tuple(JobState(word) for word in words)


def _parameter(name: str, code: str, detail: str) -> dict[str, str]:
    return {"parameter": name, "code": code, "detail": detail}
