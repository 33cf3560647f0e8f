"""The copier that everybody writes first: IMAPClient, one message after the other, an answer waited for each time.

    python -m bench.naive FILE    FILE holds JSON: source, target (host, port, cafile, user, password), nodelay

A yardstick: it keeps nothing, so it cannot go on after a break, and it alters mail that has a bare CR or LF.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from imapclient import IMAPClient


def _opened(end: dict[str, Any], *, nodelay: bool) -> IMAPClient:
    context = ssl.create_default_context(cafile=end["cafile"])
    client = IMAPClient(end["host"], port=end["port"], ssl_context=context)
    if nodelay:
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.login(end["user"], end["password"])
    return client


def main() -> None:
    """Copy all folders of the one account into the other."""
    wish = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    source, target = (_opened(wish[name], nodelay=wish["nodelay"]) for name in ("source", "target"))
    there = {name for _, _, name in target.list_folders()}
    for _, _, folder in source.list_folders():
        if folder not in there:
            target.create_folder(folder)
        source.select_folder(folder, readonly=True)
        for uid in source.search("ALL"):
            item = source.fetch([uid], ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"])[uid]
            flags = [flag for flag in item[b"FLAGS"] if flag != b"\\Recent"]
            target.append(folder, item[b"BODY[]"], flags, item[b"INTERNALDATE"])
    source.logout()
    target.logout()


if __name__ == "__main__":
    main()
