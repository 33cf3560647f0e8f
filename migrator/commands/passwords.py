"""Where a one-shot command gets its passwords from: a file, the environment, or a prompt; never an argument."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from migrator.errors import UsageError
from migrator.sessions.endpoint import Credential


def supplier(end: str, file: str | None, from_environment: str | None) -> Credential:
    """A supplier that asks at most once. `file` is a path, or `-` for standard input (first line)."""
    known: list[str] = []

    def supply() -> str:
        if not known:
            known.append(_ask(end, file, from_environment))
        return known[0]

    return supply


def _ask(end: str, file: str | None, from_environment: str | None) -> str:
    if file == "-":
        return _not_empty(sys.stdin.readline().rstrip("\r\n"), "Standard input")
    if file:
        return _not_empty(_first_line(Path(file)), f"The password file {file}")
    if from_environment is not None:
        return from_environment
    if not sys.stdin.isatty():
        raise UsageError(
            f"The {end}'s password is missing.",
            hint=f"Set POSTWAGEN_{end.upper()}_PASSWORD, or give --{end}-password-file (- for standard input).",
        )
    return str(click.prompt(f"Password at the {end}", hide_input=True, err=True))


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise UsageError(f"The password file {file} cannot be read: {error.strerror}.") from None
    except UnicodeError:
        raise UsageError(f"The password file {file} is no text in UTF-8.") from None


def _not_empty(password: str, where: str) -> str:
    """An empty password is never tried: providers lock accounts after a few wrong ones."""
    if not password:
        raise UsageError(f"{where} is empty, where the password must stand in the first line.")
    return password
