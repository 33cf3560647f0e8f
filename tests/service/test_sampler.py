"""The looking is looked at, too: what ends while it is looked at does not end the looking."""

from tests.service.sampler import dump


class _Expiring:
    """A Redis with two keys, of which one expires as soon as anybody has asked for its type."""

    def __init__(self) -> None:
        self._kept = {b"lease": b"1", b"queue": b"2"}

    def keys(self, _: str) -> list[bytes]:
        return list(self._kept)

    def type(self, key: bytes) -> bytes:
        found = b"string" if key in self._kept else b"none"
        self._kept.pop(b"lease", None)
        return found

    def __getattr__(self, _: str) -> object:
        return self._kept.get


def test_a_key_that_expires_while_it_is_read_does_not_end_the_looking() -> None:
    seen = dump(_Expiring())
    assert b"(b'queue', b'2')" in seen
