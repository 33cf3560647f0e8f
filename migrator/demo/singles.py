"""Pure. Letters that stand alone: invoices, newsletters, notices, family, invitations, signed mail, reports, giants."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from migrator.demo import attachments, letters, moretexts
from migrator.demo.letters import Coding, HeaderStyle, Part
from migrator.demo.people import BAKERY, CUSTOMERS, FAMILY, JAPAN, OFFICES, OWNER_NAME, SUPPLIERS, Contact
from migrator.demo.post import HABITS, KINDS, Desk, as_html, wrapped

_SPAM_STYLES: Final[tuple[HeaderStyle, ...]] = ("q", "raw-utf8", "b", "raw-latin1")


def invoice(desk: Desk, when: datetime) -> bytes:
    """A supplier's invoice with a PDF, sometimes with the machine-readable invoice beside it."""
    contact, facts = desk.rng.choice(SUPPLIERS), desk.facts(when)
    text = (
        f"Guten Tag,\n\nanbei erhalten Sie unsere Rechnung {facts['nr']} über {facts['betrag']}. Bitte überweisen"
        " Sie den Betrag innerhalb von 14 Tagen, bei Zahlung in acht Tagen gewähren wir 2 % Skonto."
        f"\n\nMit freundlichen Grüßen\n{contact.house}"
    )
    enclosed = [desk.enclosure(f"Rechnung {facts['nr']}.pdf")]
    if desk.rng.random() < 0.3:
        record = (
            f"<Invoice>\n  <ID>{facts['nr']}</ID>\n  <Buyer>{OWNER_NAME.replace('&', '&amp;')}</Buyer>\n</Invoice>\n"
        )
        enclosed.append(letters.attachment("xrechnung.xml", "application/xml", record.encode()))
    part = desk.with_enclosures(desk.words(text, desk.habit(contact)), enclosed)
    subject = f"Rechnung {facts['nr']} – {contact.house}"
    return desk.mail(part, when, sender=desk.them(contact), to=desk.me, subject=subject)


def newsletter(desk: Desk, when: datetime) -> bytes:
    """Plain and HTML; the HTML is 8bit in a few very long lines, as newsletter machines write it."""
    subject, sender, domain = desk.rng.choice(moretexts.NEWSLETTERS)
    name, _, address = sender.rpartition(" <")
    articles = desk.rng.sample(moretexts.NEWS, k=desk.rng.randrange(4, 8))
    items = "".join(
        f'<tr><td style="padding:24px 18px;font-family:Georgia,serif;font-size:16px;line-height:1.5"><h2>{number}</h2>'
        f'<p>{article}</p><a href="https://{domain}/l/{desk.rng.getrandbits(64):x}">Weiterlesen …</a></td></tr>'
        for number, article in enumerate(articles * desk.rng.randrange(1, 6), start=1)
    )
    page = f"<!DOCTYPE html>\n<html><body><table>{items}</table></body></html>"
    plain = "\n\n".join(f"* {article}" for article in articles)
    part = letters.multipart(
        "alternative",
        f"----=_Part_{desk.rng.getrandbits(32)}",
        (
            letters.text(wrapped(plain)),
            letters.text(page, subtype="html", coding="8bit"),
        ),
    )
    extra = (
        f"List-Id: <rundbrief.{domain}>".encode(),
        f"List-Unsubscribe: <https://{domain}/abmelden/{desk.rng.getrandbits(40):x}>".encode(),
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"Precedence: bulk",
        _signature_field(desk, domain),
    )
    title = subject.format(**desk.facts(when))
    return desk.mail(
        part, when, sender=letters.person(name, address.rstrip(">")), to=desk.me, subject=title, extra=extra
    )


def _signature_field(desk: Desk, domain: str) -> bytes:
    value = letters.base64_lines(desk.rng.randbytes(128)).strip().replace(b"\r\n", b"\r\n\t ")
    return f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=brief2;\r\n\tb=".encode() + value


def notice(desk: Desk, when: datetime) -> bytes:
    """Mail that a machine writes."""
    subject, sender, text = desk.rng.choice(moretexts.NOTICES)
    facts = desk.facts(when)
    name, _, address = sender.rpartition(" <")
    part = letters.text(text.format(**facts), coding=desk.rng.choice(("8bit", "quoted-printable")))
    if "Sprachnachricht" in subject:
        voice = letters.attachment("nachricht.wav", "audio/x-wav", b"RIFF" + desk.rng.randbytes(24_000))
        part = desk.with_enclosures(part, [voice])
    who = letters.person(name, address.rstrip(">"))
    return desk.mail(
        part, when, sender=who, to=desk.me, subject=subject.format(**facts), extra=(b"Auto-Submitted: auto-generated",)
    )


def junk(desk: Desk, when: datetime) -> bytes:
    """Spam, with the untidy headers of its kind."""
    subject, sender, text = desk.rng.choice(moretexts.JUNK)
    facts = desk.facts(when)
    name, _, address = sender.rpartition(" <")
    words = text.format(**facts) + f"\n\nRef: {desk.rng.getrandbits(40):x}"
    part = desk.words(words, desk.rng.choice(HABITS))
    extra = (
        b"X-Spam-Flag: YES",
        f"X-Spam-Score: {desk.rng.randrange(60, 250) / 10}".encode(),
        b"X-Priority: 1 (Highest)",
    )
    who = letters.person(name, address.rstrip(">"))
    title = subject.format(**facts) + "!" * desk.rng.randrange(4)
    return desk.mail(
        part, when, sender=who, to=desk.owner, subject=title, style=desk.rng.choice(_SPAM_STYLES), extra=extra
    )


def private(desk: Desk, when: datetime, *, japan: bool = False) -> bytes:
    """Family and friends, or the journey to Japan: ISO-2022-JP, Shift_JIS and UTF-8 side by side."""
    subject, text = desk.rng.choice(moretexts.JAPAN if japan else moretexts.FAMILY)
    contact = JAPAN[0] if "様" in text or "Dear" in text else desk.rng.choice(JAPAN[1:] if japan else FAMILY)
    facts = desk.facts(when)
    title, words = subject.format(**facts), f"{text.format(**facts)}\n\n{contact.name}"
    if japan:
        charset = desk.rng.choice(("iso-2022-jp", "shift_jis", "utf-8"))
        codings: tuple[Coding, ...] = ("base64", "quoted-printable" if charset == "shift_jis" else "8bit")
        coding = desk.rng.choice(codings)
        part = letters.text(words, charset=charset, coding=coding)
    else:
        part = desk.words(words, desk.habit(contact))
    if "Foto" in subject or (japan and desk.rng.random() < 0.3):
        names = [
            f"写真{number}.png" if japan else f"Bild {number}.png" for number in range(1, desk.rng.randrange(3, 6))
        ]
        part = desk.with_enclosures(part, [desk.enclosure(name) for name in names])
    style: HeaderStyle = "q" if desk.rng.random() < 0.5 else "b"
    return desk.mail(part, when, sender=desk.them(contact), to=desk.me, subject=title, style=style)


def draft(desk: Desk, when: datetime, number: int) -> bytes:
    """Something unfinished by the owner."""
    subject, text = moretexts.DRAFTS[number % len(moretexts.DRAFTS)]
    part = letters.text(text.format(**desk.facts(when)), coding="8bit")
    to = desk.them(CUSTOMERS[7]) if "Vordach" in subject else ""
    return desk.mail(part, when, sender=desk.me, to=to, subject=subject, extra=(b"X-Draft-Info: internal/draft",))


def meeting(desk: Desk, when: datetime) -> bytes:
    """A calendar invitation (iMIP, RFC 6047), or somebody's answer to one of ours."""
    contact, facts = desk.rng.choice(CUSTOMERS + OFFICES), desk.facts(when)
    reply = desk.rng.random() < 0.4
    summary = f"Aufmaß: {facts['stueck']}" if contact in CUSTOMERS else "Vorbesprechung Jahresabschluss"
    event = attachments.invitation(
        method="REPLY" if reply else "REQUEST",
        key=desk.key("kalender.example").strip("<>"),
        start=(when + timedelta(days=6)).replace(minute=0, second=0),
        summary=summary,
        organiser=desk.owner if reply else contact.address,
        guest=contact.address if reply else desk.owner,
    )
    said = f"{contact.name} hat zugesagt: {summary}" if reply else f"{contact.name} lädt Sie ein: {summary}"
    part = letters.multipart(
        "alternative",
        desk.boundary(),
        (
            letters.text(said),
            letters.text(as_html(said), subtype="html"),
            letters.text(event, subtype="calendar", extra=f"; method={'REPLY' if reply else 'REQUEST'}", coding="8bit"),
        ),
    )
    title = f"{'Zugesagt' if reply else 'Einladung'}: {summary}"
    return desk.mail(part, when, sender=desk.them(contact), to=desk.me, subject=title, style="b")


def signed(desk: Desk, when: datetime, number: int) -> bytes:
    """S/MIME signed, PGP/MIME signed, S/MIME encrypted, PGP/MIME encrypted, in turn: the structure only.

    The signed part has trailing spaces and a `From ` line: whoever rewrites a single octet breaks the signature.
    """
    contact, boundary = OFFICES[number % len(OFFICES)], desk.boundary()
    words = (
        f"Guten Tag,\n\nhier die vertraulichen Unterlagen, Vorgang {when.year}-{desk.rng.randrange(999)}.  \n"
        f"From heute an bitte nur noch signiert.\t\n\n{contact.name}"
    )
    secret = desk.rng.randbytes(desk.rng.randrange(1_500, 9_000))
    kind = number % 4
    if kind == 0:
        seal = letters.attachment("smime.p7s", "application/pkcs7-signature", secret)
        more = '; protocol="application/pkcs7-signature"; micalg=sha-256'
        part = letters.multipart(
            "signed",
            boundary,
            (letters.text(words, coding="8bit"), seal),
            extra=more,
            preamble="This is a cryptographically signed message in MIME format.",
        )
    elif kind == 1:
        seal = Part(
            (b'Content-Type: application/pgp-signature; name="signature.asc"',), _armour("SIGNATURE", secret[:400])
        )
        more = '; protocol="application/pgp-signature"; micalg=pgp-sha512'
        part = letters.multipart("signed", boundary, (letters.text(words), seal), extra=more)
    elif kind == 2:
        sealed = letters.attachment("smime.p7m", "application/pkcs7-mime; smime-type=enveloped-data", secret)
        part = sealed
    else:
        version = Part((b"Content-Type: application/pgp-encrypted",), b"Version: 1\r\n")
        sealed = Part((b'Content-Type: application/octet-stream; name="encrypted.asc"',), _armour("MESSAGE", secret))
        part = letters.multipart(
            "encrypted", boundary, (version, sealed), extra='; protocol="application/pgp-encrypted"'
        )
    return desk.mail(part, when, sender=desk.them(contact), to=desk.me, subject="Vertraulich: Unterlagen")


def _armour(kind: str, data: bytes) -> bytes:
    mark = f"PGP {kind}-----\r\n".encode()
    return b"-----BEGIN " + mark + b"\r\n" + letters.base64_lines(data) + b"=njUN\r\n-----END " + mark


def report(desk: Desk, when: datetime, *, receipt: bool) -> bytes:
    """A read receipt (RFC 8098) or a bounce (RFC 3464), with the headers of the letter that it is about."""
    key = desk.key(desk.owner.partition("@")[2])
    about = f"From: {desk.me}\r\nTo: <{BAKERY.address}>\r\nMessage-ID: {key}\r\n\r\n".encode()
    kind = "disposition-notification" if receipt else "delivery-status"
    state = b"Reporting-UA: briefkasten.example; Briefkasten 4.2\r\n"
    state += b"Disposition: manual-action/MDN-sent-manually; displayed\r\n"
    if not receipt:
        state = (
            b"Reporting-MTA: dns; mail.altprovider.example\r\n\r\nFinal-Recipient: rfc822; " + BAKERY.address.encode()
        )
        state += b"\r\nAction: failed\r\nStatus: 5.2.2\r\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full\r\n"
    told = (
        "Ihre Nachricht wurde gelesen." if receipt else "Ihre Nachricht konnte nicht zugestellt werden: Postfach voll."
    )
    part = letters.multipart(
        "report",
        desk.boundary(),
        (
            letters.text(told),
            Part((f"Content-Type: message/{kind}".encode(),), state),
            Part((b"Content-Type: text/rfc822-headers",), about),
        ),
        extra=f"; report-type={kind}",
    )
    sender = (
        desk.them(BAKERY) if receipt else letters.person("Mail Delivery System", "mailer-daemon@altprovider.example")
    )
    title = "Gelesen: Montagetermin" if receipt else "Undelivered Mail Returned to Sender"
    return desk.mail(part, when, sender=sender, to=desk.me, subject=title)


def giant(desk: Desk, when: datetime, *, contact: Contact, name: str, size: int) -> bytes:
    """A letter with one large attachment of about `size` octets before base64; `name` ends in .zip or .pdf."""
    content = desk.rng.randbytes(size)
    if name.endswith(".zip"):
        step = size // 8
        photos: Sequence[bytes] = [content[at : at + step] for at in range(0, size, step)]
        data = attachments.archive({f"DSC_{number + 401:04d}.raw": photo for number, photo in enumerate(photos)})
    else:
        data = attachments.pdf([name], ballast=content)
    said = f"Guten Tag,\n\nhier kommt {name}, hoffentlich ist die Datei nicht zu groß.\n\nBeste Grüße\n{contact.name}"
    enclosed = letters.attachment(name, KINDS[name.rpartition(".")[2]], data)
    part = desk.with_enclosures(desk.words(said, desk.habit(contact)), [enclosed])
    return desk.mail(part, when, sender=desk.them(contact), to=desk.me, subject=f"Große Datei: {name}")


def forwarded(desk: Desk, when: datetime, inner: bytes) -> bytes:
    """A letter that carries another one whole, as message/rfc822."""
    contact = desk.rng.choice(FAMILY)
    said = letters.text(f"Zur Kenntnis, passt zu unserem Gespräch.\n\n{contact.name}")
    part = desk.with_enclosures(said, [Part((b"Content-Type: message/rfc822",), inner)])
    return desk.mail(part, when, sender=desk.them(contact), to=desk.me, subject="WG: Das solltest du lesen")
