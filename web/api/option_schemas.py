"""The API's values: what a job may be told beside its ends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class Strict(BaseModel):
    """Unknown fields are refused by name; a number is no text, and a text no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class MessageRef(Strict):
    """A message as reports and manifests name it."""

    folder: Text
    key: Annotated[str, Field(min_length=1, max_length=300)]


class FolderOptions(Strict):
    """Which folders go along, and where to. Folder names are full names of their end."""

    map: Annotated[list[tuple[Text, Text]], Field(max_length=5_000, description="Pairs OLD, NEW.")] | None = None
    include: Annotated[list[Text], Field(max_length=1_000, description="Patterns of whole source names.")] | None = None
    exclude: Annotated[list[Text], Field(max_length=5_000, description="Patterns of whole source names.")] | None = None
    under: Annotated[str, Field(max_length=1_000, description="Everything below this folder.")] | None = None
    shared: Annotated[bool, Field(description="Also folders of other users and of everybody.")] | None = None
    apart: Annotated[bool, Field(description="Two folders of one use are not merged.")] | None = None

    def ordered(self) -> dict[str, Any]:
        """As an order names them: what was not given is left out."""
        values = self.model_dump(exclude_none=True)
        if "map" in values:
            values["map"] = dict(values["map"])
        return values


class Options(FolderOptions):
    """What a job may be told beside its ends. Folder names are full names of their end."""

    max_octets: Annotated[int, Field(ge=1, le=2**40, description="Larger messages are skipped.")] | None = None
    recreated: Annotated[
        Literal["ask", "replay", "keep"], Field(description="For a target folder that was deleted and created again.")
    ] | None = None  # fmt: skip
    connections: Annotated[int, Field(ge=1, le=16, description="At most so many to each server.")] | None = None
    repair: Annotated[
        bool, Field(description="Send what is refused for its form with the least change that helps, and say so.")
    ] | None = None  # fmt: skip
    each_label: Annotated[
        bool, Field(description="Gmail: a message goes into the folder of each of its labels.")
    ] | None = None  # fmt: skip
    dry_run: Annotated[bool, Field(description="Write nothing at the target.")] | None = None
    level: Annotated[
        Literal["counts", "fingerprints", "digests"], Field(description="How closely `verify` looks.")
    ] | None = None  # fmt: skip
    at: Annotated[
        str, Field(max_length=40, description="An archive as it was then; a time with its zone (RFC 3339).")
    ] | None = None  # fmt: skip
    messages: Annotated[list[MessageRef], Field(max_length=10_000, description="`play-in`: only these.")] | None = None
    restore: Annotated[
        bool, Field(description="`play-in`: also what was carried before and is gone at the new server since.")
    ] | None = None  # fmt: skip
    after_days: Annotated[int, Field(ge=0, le=3_650, description="`remove`: collected so long ago.")] | None = None
    wish: Annotated[str, Field(max_length=1_000, description="`remove`: who asked for it, and when.")] | None = None

    def ordered(self) -> dict[str, Any]:
        """As an order names them: what was not given is left out."""
        values = FolderOptions.ordered(self)
        if values.get("recreated") == "ask":
            del values["recreated"]
        return values
