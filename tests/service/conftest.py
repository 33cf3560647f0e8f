"""The whole product as processes, and mailboxes at two real Dovecots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.fixtures import DovecotPair
from tests.servers.proxy import FaultProxy
from tests.service.product import Product

Install = Callable[..., Product]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Makes installations with these settings; everything of them ends with the test."""
    with ExitStack() as stack:

        def made(**settings: str) -> Product:
            return stack.enter_context(Product(tmp_path / f"product-{len(list(tmp_path.iterdir()))}", settings))

        yield made


@pytest.fixture
def target_proxy(dovecot_pair: DovecotPair) -> Iterator[FaultProxy]:
    """Between us and the new server."""
    with FaultProxy("127.0.0.1", dovecot_pair.new.imap_port, record=True) as proxy:
        yield proxy


@pytest.fixture
def source_proxy(dovecot_pair: DovecotPair) -> Iterator[FaultProxy]:
    """Between us and the old server."""
    with FaultProxy("127.0.0.1", dovecot_pair.old.imap_port, record=True) as proxy:
        yield proxy
