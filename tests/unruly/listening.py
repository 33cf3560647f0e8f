"""A server in a test: it listens on loopback, serves each connection in a thread, and raises what went wrong in it."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from io import BufferedReader
from typing import Self


class Hangup(Exception):
    """The server has nothing more to say; `last` is said before."""

    def __init__(self, last: bytes = b"") -> None:
        super().__init__()
        self.last = last


class Listening(ABC):
    """Use it in a `with` block: whatever goes wrong in the server itself is raised at its end."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        """Every command, without passwords."""
        self.talks = 0
        """So many connections came."""
        self._failures: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._failures:
            raise self._failures[0]

    @abstractmethod
    def converse(self, sock: socket.socket, stream: BufferedReader, number: int) -> None:
        """Greet and answer until there is nothing more to say; `number`: so many connections came before."""

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                number, self.talks = self.talks, self.talks + 1
                threading.Thread(target=self._serve, args=(sock, sock.makefile("rb"), number), daemon=True).start()

    def _serve(self, sock: socket.socket, stream: BufferedReader, number: int) -> None:
        with sock, stream:
            try:
                self.converse(sock, stream, number)
            except Hangup as end:
                with suppress(OSError):
                    sock.sendall(end.last)
            except OSError:
                pass
            except BaseException as error:  # noqa: BLE001 - raised at the end of the test
                self._failures.append(error)
