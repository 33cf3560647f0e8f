"""Whether a pass fits where archives lie."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migrator.planning.room import Room, shortfall

octets = st.integers(0, 10**12)


def test_the_reserve_stays_free_and_a_quota_counts_all_archives() -> None:
    assert shortfall(50, Room(free=100, reserve=50)) == 0
    assert shortfall(51, Room(free=100, reserve=50)) == 1
    assert shortfall(50, Room(free=1000, reserve=0, taken=60, quota=100)) == 10
    assert shortfall(1, Room(free=10, reserve=20)) == 11, "what is lacking of the reserve is lacking too"


@given(needs=octets, free=octets, reserve=octets, taken=octets, quota=octets)
def test_a_pass_that_fits_leaves_the_reserve_and_keeps_to_the_quota(
    needs: int, free: int, reserve: int, taken: int, quota: int
) -> None:
    if shortfall(needs, Room(free, reserve, taken, quota)) == 0:
        assert needs <= max(0, free - reserve)
        assert not quota or needs == 0 or taken + needs <= quota
