"""Reads an archive (docs/archive-format.md), its latest pass, as JSON lines: archive_reader.py ARCHIVE KEYFILE."""

import base64
import hashlib
import hmac
import io
import json
import sqlite3
import sys

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT, CHUNK = b"postwagen-archive-1", 256 * 1024 + 16
PLACED = "from_pass <= :p AND (gone_pass IS NULL OR gone_pass > :p)"
path, key_file = sys.argv[1:]
key = next(base64.b64decode(line) for line in open(key_file) if not line.startswith("#"))  # noqa: SIM115 - it ends soon
sql = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
archive = sql.execute("SELECT value FROM meta WHERE name = 'archive_id'").fetchone()[0]


def derive(purpose, salt=b""):
    return HKDF(algorithm=SHA256(), length=32, salt=archive + salt, info=FORMAT + b" " + purpose).derive(key)


def number(value):
    return value.to_bytes(8, "big")


def row(sealed, about):
    return json.loads(AESGCM(derive(b"rows")).decrypt(sealed[:12], sealed[12:], FORMAT + archive + about))


def octets(blob):
    wanted = "SELECT address, salt, segment, start, octets FROM blob WHERE id = ?"
    address, salt, first, start, length = sql.execute(wanted, (blob,)).fetchone()
    wanted = "SELECT sealed FROM segment WHERE id BETWEEN ? AND ? ORDER BY id"
    held = b"".join(found for (found,) in sql.execute(wanted, (first, first + (start + length - 1) // 16344)))
    seal, packed, end = AESGCM(derive(b"blob", salt)), b"", start + length
    for at, place in enumerate(range(start, end, CHUNK)):
        about = FORMAT + archive + address + number(at) + (b"\1" if place + CHUNK >= end else b"\0")
        packed += seal.decrypt(at.to_bytes(12, "big"), held[place : min(place + CHUNK, end)], about)
    found = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
    assert hmac.digest(derive(b"addresses"), b"blob\0" + hashlib.sha256(found).digest(), hashlib.sha256) == address
    return found


latest = {"p": sql.execute("SELECT max(id) FROM pass WHERE ended IS NOT NULL").fetchone()[0]}
for folder, address, sealed in sql.execute(f"SELECT id, address, sealed FROM folder WHERE {PLACED}", latest).fetchall():
    name = row(sealed, b"folder" + address)["name"]
    wanted = f"""SELECT message.id, origin, blob, address, message.sealed, from_pass, placement.sealed
        FROM message JOIN blob ON blob.id = blob JOIN placement ON placement.message = message.id
        WHERE folder = {folder} AND {PLACED} ORDER BY message.id"""
    for message, origin, blob, place, what, since, marks in sql.execute(wanted, latest).fetchall():
        validity, uid, uidl, size, instant = row(what, b"message" + number(folder) + origin + place)
        flags = row(marks, b"placement" + number(message) + number(since))
        line = {"folder": name, "key": uidl or f"{validity}/{uid}", "size": size, "instant": instant, "flags": flags}
        print(json.dumps(line | {"octets": base64.b64encode(octets(blob)).decode()}))
