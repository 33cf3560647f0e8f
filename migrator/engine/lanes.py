"""Folders side by side: each lane has a connection to either end, and folders that no other lane touches.

The servers work on several folders at once then, and nobody waits while one of them is opened or looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from migrator.errors import Defect, Fenced, PostwagenError, Remedy, Stopped
from migrator.ports import Event, FolderPair, StopSignal

if TYPE_CHECKING:
    from migrator.engine.run import Ends

Carry = Callable[["Ends", Sequence[FolderPair]], None]
Shares = Callable[[int], Sequence[Sequence[FolderPair]]]


class Joint:
    """Fulfils `ports.StopSignal`: what stops all who work on one thing."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop
        self._halted = False

    def halt(self) -> None:
        """The run is over, whatever the others are doing."""
        self._halted = True

    def wanted(self) -> bool:
        return self._halted or self._stop.wanted()

    def may_commit(self) -> bool:
        return not self._halted and self._stop.may_commit()


def in_lanes(ends: Ends, shares: Shares, most: int, carry: Carry) -> None:
    """Carry each share in a lane of its own, the first one here. `shares`: at most so many of them.

    An error ends its lane; the others go on, unless the whole run has lost its right. Raised is what weighs most.
    """
    joint = Joint(ends.stop)
    with ExitStack() as stack:
        opened = [ends]
        while len(opened) < len(shares(most)) and (more := _opened(ends, stack)) is not None:
            opened.append(more)
        if len(opened) > 1:
            for one in opened:
                one.alongside()
        lanes = [(replace(one, stop=joint), share) for one, share in zip(opened, shares(len(opened)), strict=True)]
        errors = sorted(_all_carried(lanes, carry, joint), key=_gravity)
    for error in errors[1:]:
        ends.observer.note(Event("lane_failed", {"code": getattr(error, "instance_code", type(error).__name__)}))
    if errors:
        raise errors[0]


def _opened(ends: Ends, stack: ExitStack) -> Ends | None:
    """One more pair of ends; None: a server gives no more, or there is nobody who opens any."""
    if ends.another is None:
        return None
    try:
        return stack.enter_context(ends.another())
    except PostwagenError as error:
        ends.observer.note(Event("fewer_connections", {"code": error.instance_code, "end": error.end}))
        return None


def _all_carried(lanes: Sequence[tuple[Ends, Sequence[FolderPair]]], carry: Carry, joint: Joint) -> list[BaseException]:
    def carried(lane: tuple[Ends, Sequence[FolderPair]]) -> BaseException | None:
        try:
            carry(*lane)
        except BaseException as error:  # noqa: BLE001 - raised when all lanes have ended
            if _ends_all(error):
                joint.halt()
            return error
        return None

    with ThreadPoolExecutor(max(1, len(lanes) - 1), "lane") as pool:
        others = [pool.submit(carried, lane) for lane in lanes[1:]]
        ended = [carried(lanes[0]), *(other.result() for other in others)]
    return [error for error in ended if error is not None]


_LEASE_LOST = 1


def _ends_all(error: BaseException) -> bool:
    """No lane has a right to go on: a defect, an interrupt, a lost lease."""
    return _gravity(error) <= _LEASE_LOST


def _gravity(error: BaseException) -> int:
    """What weighs most comes first: a defect or an interrupt, a lost lease, a stop, what time cannot heal."""
    if isinstance(error, Defect) or not isinstance(error, PostwagenError):
        return 0
    if isinstance(error, Fenced | Stopped):
        return _LEASE_LOST if isinstance(error, Fenced) else 2
    return {Remedy.NEVER: 3, Remedy.PERSON: 4}.get(error.remedy, 5)
