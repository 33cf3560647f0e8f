"""Folders side by side: each lane has a connection to either end, and folders that no other lane touches.

The servers work on several folders at once then, and nobody waits while one of them is opened or looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from migrator.errors import Defect, Fenced, PostwagenError, Stopped
from migrator.ports import Event, FolderPair, StopSignal

if TYPE_CHECKING:
    from migrator.engine.run import Ends

Carry = Callable[["Ends", Sequence[FolderPair]], None]


class _Joint:
    """Fulfils `ports.StopSignal`: what stops all lanes of a run."""

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


def in_lanes(ends: Ends, shares: Sequence[Sequence[FolderPair]], carry: Carry) -> None:
    """Carry each share in a lane of its own, the first one here. Where no further ends open, fewer lanes do it all.

    An error ends its lane; the others go on, unless the whole run has lost its right. Raised is what weighs most.
    """
    first, joint = list(shares[0]), _Joint(ends.stop)
    with ExitStack() as stack:
        lanes = [(replace(ends, stop=joint), first)]
        for share in shares[1:]:
            more = _opened(ends, stack)
            if more is None:
                first += share
            else:
                lanes.append((replace(more, stop=joint), list(share)))
        for lane, _ in lanes if len(lanes) > 1 else ():
            lane.alongside()
        errors = _all_carried(lanes, carry, joint)
    if errors:
        raise min(errors, key=_gravity)


def _opened(ends: Ends, stack: ExitStack) -> Ends | None:
    """One more pair of ends; None: a server gives no more, or there is nobody who opens any."""
    if ends.another is None:
        return None
    try:
        return stack.enter_context(ends.another())
    except PostwagenError as error:
        ends.observer.note(Event("fewer_connections", {"code": error.instance_code, "end": error.end}))
        return None


def _all_carried(
    lanes: Sequence[tuple[Ends, Sequence[FolderPair]]], carry: Carry, joint: _Joint
) -> list[BaseException]:
    def carried(lane: tuple[Ends, Sequence[FolderPair]]) -> BaseException | None:
        try:
            carry(*lane)
        except BaseException as error:  # noqa: BLE001 - raised when all lanes have ended
            if _gravity(error) < 2:
                joint.halt()
            return error
        return None

    with ThreadPoolExecutor(max(1, len(lanes) - 1), "lane") as pool:
        others = [pool.submit(carried, lane) for lane in lanes[1:]]
        ended = [carried(lanes[0]), *(other.result() for other in others)]
    return [error for error in ended if error is not None]


def _gravity(error: BaseException) -> int:
    """What weighs most comes first: a defect or an interrupt, a lost lease, a stop, and whatever hits one end."""
    if isinstance(error, Defect) or not isinstance(error, PostwagenError):
        return 0
    if isinstance(error, Fenced):
        return 1
    return 2 if isinstance(error, Stopped) else 3
