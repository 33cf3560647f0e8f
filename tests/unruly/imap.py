"""An IMAP server in memory, on a real socket: orderly by itself; each of its bad habits is a subclass of one method.

What it speaks is what Postwagen says to servers, and no more: RFC 3501, with UIDPLUS, LITERAL+, MULTIAPPEND,
SPECIAL-USE, NAMESPACE, ID and QUOTA. An unknown command is answered BAD; whatever goes wrong in it fails the test.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedReader

from tests.unruly.listening import Hangup, Listening

DATE = b"05-Mar-2001 01:02:03 +0000"
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|\(([^()]*)\)|([^\s()]+)')


@dataclass
class Mail:
    """One message as it lies there."""

    uid: int
    octets: bytes
    flags: tuple[bytes, ...] = ()
    date: bytes = DATE

    @property
    def mark(self) -> bytes:
        """Its Message-ID, by which tests know it."""
        found = re.search(rb"(?im)^Message-ID: *(<[^>]*>)", self.octets)
        return found[1] if found else b""


@dataclass
class Box:
    """One folder."""

    mails: list[Mail] = field(default_factory=list)
    attributes: bytes = b""
    validity: int = 77
    uidnext: int = 1

    def add(self, octets: bytes, flags: Sequence[bytes] = (), date: bytes = DATE) -> Mail:
        """Put a message there."""
        mail = Mail(self.uidnext, octets, tuple(flags), date)
        self.mails.append(mail)
        self.uidnext += 1
        return mail


@dataclass
class Talk:
    """One connection."""

    sock: socket.socket
    stream: BufferedReader
    number: int
    """How many came before it."""
    name: str = ""
    """The open folder."""
    said: int = 0
    """So many commands were answered."""


class OrderlyImap(Listening):
    """Answers as the standard wants it. `boxes`: what lies there, by name as written on the wire."""

    capabilities = b"IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+ NAMESPACE SPECIAL-USE AUTH=PLAIN SASL-IR"
    delimiter = b"/"
    prefix = b""
    permanent = b"\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*"

    def __init__(self, *messages: bytes) -> None:
        self.boxes: dict[bytes, Box] = {b"INBOX": Box()}
        for octets in messages:
            self.boxes[b"INBOX"].add(octets)
        self._lock = threading.RLock()
        super().__init__()

    def box(self, name: bytes, attributes: bytes = b"") -> Box:
        """A folder, made if need be."""
        return self.boxes.setdefault(name, Box(attributes=attributes, validity=77 + len(self.boxes)))

    def marks(self, name: bytes = b"INBOX") -> list[bytes]:
        """The Message-IDs of what lies in a folder."""
        return [mail.mark for mail in self.boxes[name].mails]

    # ---- a connection --------------------------------------------------------------------------------------------

    def converse(self, sock: socket.socket, stream: BufferedReader, number: int) -> None:
        talk = Talk(sock, stream, number)
        sock.sendall(self.greeting(talk))
        while line := self._line(talk):
            tag, _, command = line.partition(b" ")
            with self._lock:
                for piece in self.turn(talk, tag, command):
                    sock.sendall(piece)
            talk.said += 1

    def _line(self, talk: Talk) -> bytes:
        """A command with its literals but for APPEND's, which are read by whoever appends."""
        line = talk.stream.readline()
        while b" APPEND " not in line[:40].upper() and (found := _LITERAL.search(line)):
            if not found[2]:
                talk.sock.sendall(b"+ go on\r\n")
            line = line[: found.start()] + b'"' + talk.stream.read(int(found[1])) + b'"' + talk.stream.readline()
        return line if b" APPEND " in line[:40].upper() else line.rstrip(b"\r\n")

    def turn(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        """What is said to a command."""
        words = command.split(b" ")
        verb = words[0].upper()
        if verb == b"UID":
            verb += b" " + words[1].upper()
        secret = verb in (b"LOGIN", b"AUTHENTICATE")
        self.heard.append(verb if secret else command.split(b"\r\n")[0])
        answer = getattr(self, "on_" + verb.decode().lower().replace(" ", "_"), None)
        if answer is None or (verb in (b"FETCH", b"UID FETCH", b"UID STORE") and not talk.name):
            yield tag + b" BAD not now: " + verb + b"\r\n"
            return
        yield from answer(talk, tag, command)

    # ---- before and after login ----------------------------------------------------------------------------------

    def greeting(self, talk: Talk) -> bytes:
        """The first line."""
        return b"* OK ready\r\n"

    def announced(self, talk: Talk) -> bytes:
        """Its capabilities at this moment."""
        return self.capabilities

    def on_capability(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield b"* CAPABILITY " + self.announced(talk) + b"\r\n" + tag + b" OK done\r\n"

    def on_authenticate(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if command.count(b" ") == 1:
            yield b"+ \r\n"
            talk.stream.readline()
        yield tag + b" OK you are in\r\n"

    def on_login(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield tag + b" OK you are in\r\n"

    def on_id(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield b"* ID NIL\r\n" + tag + b" OK done\r\n"

    def on_namespace(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        written = self.delimiter.replace(b"\\", b"\\\\")
        yield b'* NAMESPACE (("%b" "%b")) NIL NIL\r\n' % (self.prefix, written) + tag + b" OK done\r\n"

    def on_noop(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield tag + b" OK done\r\n"

    def on_logout(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield b"* BYE\r\n" + tag + b" OK done\r\n"
        raise Hangup

    # ---- folders -------------------------------------------------------------------------------------------------

    def on_list(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        words = arguments(command)
        if words[2:3] == [b""]:
            yield b'* LIST (\\Noselect) %b ""\r\n' % self.said_delimiter()
        else:
            yield from self.listing(b"LIST")
        yield tag + b" OK done\r\n"

    def on_lsub(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield from self.listing(b"LSUB")
        yield tag + b" OK done\r\n"

    def listing(self, verb: bytes) -> Iterator[bytes]:
        """A line for each folder."""
        for name, box in self.boxes.items():
            yield b"* %b (%b) %b %b\r\n" % (verb, box.attributes, self.said_delimiter(), self.said_name(name))

    def said_delimiter(self) -> bytes:
        """As a quoted string, or NIL."""
        return b'"%b"' % self.delimiter.replace(b"\\", b"\\\\") if self.delimiter else b"NIL"

    def said_name(self, name: bytes) -> bytes:
        """A folder's name in LIST."""
        return b'"%b"' % name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')

    def on_status(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        name = arguments(command)[1]
        box = self.boxes.get(name)
        if box is None:
            yield tag + b" NO no such folder\r\n"
            return
        items = arguments(command)[2].upper().split()
        numbers = {b"MESSAGES": self.counted(box), b"UIDVALIDITY": box.validity, b"UIDNEXT": box.uidnext}
        said = b" ".join(b"%b %d" % (item, numbers[item]) for item in items if item in numbers)
        yield b"* STATUS %b (%b)\r\n" % (self.said_name(name), said) + tag + b" OK done\r\n"

    def counted(self, box: Box) -> int:
        """How many messages it says lie in a folder that is not open."""
        return len(box.mails)

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        name = arguments(command)[1]
        box = self.boxes.get(name)
        talk.name = ""
        if box is None:
            yield tag + b" NO [NONEXISTENT] no such folder\r\n"
            return
        talk.name = name.decode("latin-1")
        yield b"* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n"
        yield b"* OK [PERMANENTFLAGS (%b)] x\r\n* %d EXISTS\r\n" % (self.permanent, len(box.mails))
        yield b"* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT %d] x\r\n" % (box.validity, box.uidnext)
        yield tag + b" OK open\r\n"

    on_examine = on_select

    def on_create(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        name = arguments(command)[1]
        refused = self.refuses_folder(name)
        if refused or name in self.boxes:
            yield tag + b" NO " + (refused or b"[ALREADYEXISTS] it is there") + b"\r\n"
            return
        self.box(name)
        yield tag + b" OK made\r\n"

    def refuses_folder(self, name: bytes) -> bytes:
        """Why such a folder is not made, or nothing."""
        return b""

    def on_subscribe(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield tag + b" OK done\r\n"

    # ---- messages ------------------------------------------------------------------------------------------------

    def opened(self, talk: Talk) -> Box:
        """The folder that this connection has open."""
        return self.boxes[talk.name.encode("latin-1")]

    def on_fetch(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        mails = self.opened(talk).mails
        yield from self._rows(talk, tag, command, [mails[at - 1] for at in members(command.split(b" ")[1], len(mails))])

    def on_uid_fetch(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        mails = self.opened(talk).mails
        asked = set(members(command.split(b" ")[2], max((mail.uid for mail in mails), default=0)))
        yield from self._rows(talk, tag, command, [mail for mail in mails if mail.uid in asked])

    def _rows(self, talk: Talk, tag: bytes, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        if b"BODY" in command.upper():
            yield from self.bodies(talk, command, mails)
        else:
            yield from self.rows(talk, command, mails)
        yield self.fetched(talk, tag)

    def fetched(self, talk: Talk, tag: bytes) -> bytes:
        """The end of a FETCH."""
        return tag + b" OK done\r\n"

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        """What is said of each message when it is listed."""
        wanted = command.upper()
        for mail in mails:
            items = [b"UID %d" % mail.uid]
            if b"FLAGS" in wanted:
                items.append(b"FLAGS (%b)" % b" ".join(mail.flags))
            if b"INTERNALDATE" in wanted:
                items.append(b'INTERNALDATE "%b"' % mail.date)
            if b"RFC822.SIZE" in wanted:
                items.append(b"RFC822.SIZE %b" % self.size(mail))
            yield b"* %d FETCH (%b)\r\n" % (self._position(talk, mail), b" ".join(items))

    def size(self, mail: Mail) -> bytes:
        """What it says that a message measures."""
        return b"%d" % len(mail.octets)

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        """The messages' octets."""
        for mail in mails:
            yield b"* %d FETCH (UID %d " % (self._position(talk, mail), mail.uid) + self.body(talk, mail) + b")\r\n"

    def body(self, talk: Talk, mail: Mail) -> bytes:
        """One message's octets, as an item."""
        return b"BODY[] {%d}\r\n%b" % (len(mail.octets), mail.octets)

    def _position(self, talk: Talk, mail: Mail) -> int:
        return self.opened(talk).mails.index(mail) + 1

    def on_uid_store(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        words = arguments(command)
        for mail in self.opened(talk).mails:
            if mail.uid in members(words[2], 2**32):
                flags = tuple(words[4].split())
                kept = tuple(flag for flag in mail.flags if flag not in flags)
                mail.flags = kept if words[3].startswith(b"-") else (*kept, *flags)
        yield tag + b" OK done\r\n"

    def on_append(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        """One message or several: all of them are stored, or none."""
        name = arguments(command)[1]
        coming: list[tuple[bytes, tuple[bytes, ...], bytes]] = []
        line = command
        while found := _LITERAL.search(line):
            if not found[2]:
                refused = self.refuses_early(int(found[1]))
                if refused:
                    yield tag + b" " + refused + b"\r\n"
                    return
                yield b"+ go on\r\n"
            flags = re.search(rb"\(([^()]*)\) ?(?:\"([^\"]*)\")? ?\{\d+\+?\}\r\n\Z", line)
            assert flags is not None, line
            coming.append((talk.stream.read(int(found[1])), tuple(flags[1].split()), flags[2] or DATE))
            line = talk.stream.readline()
        assert line == b"\r\n", line
        box = self.boxes.get(name)
        refused = next(filter(None, (self.refuses(octets, given) for octets, given, _ in coming)), b"")
        refused = b"NO [TRYCREATE] no such folder" if box is None else refused
        if refused or box is None:
            yield tag + b" " + refused + b"\r\n"
            return
        first = box.uidnext
        for octets, given, date in coming:
            self.store(box, octets, given, date)
        yield self.appended(tag, box, [*range(first, box.uidnext)])

    def refuses_early(self, size: int) -> bytes:
        """Why it does not even want to have a message of that size (`NO …`), or nothing."""
        return b""

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        """Why it does not take this message (`NO …` or `BAD …`), or nothing."""
        return b""

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        """Keep a message that was taken."""
        box.add(octets, flags, date)

    def appended(self, tag: bytes, box: Box, uids: Sequence[int]) -> bytes:
        """The answer to an APPEND that was taken."""
        said = b"%d:%d" % (uids[0], uids[-1]) if len(uids) > 1 else b"%d" % uids[0] if uids else b""
        code = b"[APPENDUID %d %b] " % (box.validity, said) if b"UIDPLUS" in self.capabilities and uids else b""
        return tag + b" OK " + code + b"done\r\n"


def arguments(command: bytes) -> list[bytes]:
    """Words, quoted strings and parenthesised lists of a command, without their quotes and parentheses."""
    return [
        re.sub(rb"\\(.)", rb"\1", found[1]) if found[1] is not None else found[2] if found[2] is not None else found[3]
        for found in _WORD.finditer(command)
    ]


def members(written: bytes, highest: int) -> range | list[int]:
    """The numbers of a set, ascending."""
    found: set[int] = set()
    for piece in written.replace(b"*", b"%d" % highest).split(b","):
        first, _, last = piece.partition(b":")
        low, high = sorted((int(first), int(last or first)))
        found.update(range(low, min(high, highest) + 1))
    return sorted(found)
