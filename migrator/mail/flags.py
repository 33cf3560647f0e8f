"""Flags and keywords (RFC 9051, 2.3.2). Pure.

A flag that we send is either one of five system flags or a keyword by the strict atom grammar: a closed set, so that
no octet of a mail or of a foreign server's answer can ever become a command (traps.md, A).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from migrator.mail.folders import FolderRef

LABEL = "label "
"""A Gmail label stands among a message's flags as this and its name, which no keyword can look like: archives keep it,
servers are never sent it."""
SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}
_KEYWORD = re.compile(r"[A-Za-z0-9!#$&'+,\-./:;<=>?@^_`|~]{1,250}", re.ASCII)
"""An atom without the octets that IMAP gives a meaning; stricter than RFC 9051's grammar on purpose."""


def is_keyword(text: str) -> bool:
    """Whether `text` may be sent as a keyword."""
    return _KEYWORD.fullmatch(text) is not None


def normalised(flags: Iterable[str]) -> frozenset[str]:
    """Flags as we compare and keep them: system flags in canonical case, `\\Recent` gone, keywords as they are."""
    kept = set()
    for flag in flags:
        if not flag.startswith("\\"):
            kept.add(flag)
        elif flag.lower() in SYSTEM_FLAGS:
            kept.add(SYSTEM_FLAGS[flag.lower()])
        elif flag.lower() != "\\recent":
            kept.add(flag)
    return frozenset(kept)


def keywords(flags: Iterable[str]) -> list[str]:
    """Those that are neither system flags nor labels, sorted."""
    return sorted(flag for flag in flags if not flag.startswith(("\\", LABEL)))


def labels_of(flags: Iterable[str]) -> list[str]:
    """The names of the labels, sorted."""
    return sorted(flag.removeprefix(LABEL) for flag in flags if flag.startswith(LABEL))


class FittingFlags(NamedTuple):
    """What of a message's flags a target folder takes, and what it drops."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]


@functools.lru_cache(1024)
def fitting(flags: frozenset[str], folder: FolderRef) -> FittingFlags:
    """Split flags by what the target folder's PERMANENTFLAGS allow; keywords in the spelling the target has.

    Labels are no flags: where they cannot be kept, nothing is dropped, for they are folders there.
    """
    known = {keyword.lower(): keyword for keyword in folder.keywords}
    kept: list[str] = []
    dropped: list[str] = []
    for flag in sorted(flags):
        if flag.startswith(LABEL):
            kept.extend([flag] if folder.keeps_labels else [])
        elif flag.startswith("\\"):
            allowed = flag in SYSTEM_FLAGS.values() and (not folder.system_flags or flag in folder.system_flags)
            (kept if allowed else dropped).append(flag)
        elif is_keyword(flag) and (folder.any_keyword or flag.lower() in known):
            kept.append(known.get(flag.lower(), flag))
        else:
            dropped.append(flag)
    return FittingFlags(tuple(kept), tuple(dropped))


@functools.lru_cache(1024)
def same_flags(one: frozenset[str] | tuple[str, ...], other: frozenset[str]) -> bool:
    """Whether two sets of flags mean the same; keywords are compared without case."""
    return {flag.lower() for flag in normalised(one)} == {flag.lower() for flag in normalised(other)}
