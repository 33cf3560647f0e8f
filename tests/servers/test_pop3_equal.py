"""What was collected by POP3 differs from what lay there by what POP3 and the server do, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import as_dovecot_sends, nasty_messages, realistic_corpus
from tests.servers.collecting import collect
from tests.servers.fixtures import DovecotPair

pytestmark = pytest.mark.servers


def test_every_message_is_archived_and_played_in_as_the_server_can_send_it(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    odd = {name: octets for name, octets in nasty_messages() if octets}
    dots = [b".x: y\r\n\r\n.z\r\n", b"..x: y\r\n\r\n..z", b".", b"..", b"...x\r\n"]
    octets = [*odd.values(), *dots, *realistic_corpus(60, max_size=60_000, twins=0.1, without_id=0.1)]
    found = collect(dovecot_pair, tmp_path, octets)
    assert found.wrong == []
    lost = [list(odd).index("dot-and-nothing-else"), len(odd) + dots.index(b".")]
    assert found.missing == found.named == lost, "Dovecot sends them as the end of an empty message"
    assert found.play_in.code == 0
    assert found.kinds["any"] == sum(
        as_dovecot_sends(each) != each for number, each in enumerate(octets) if number not in lost
    )
