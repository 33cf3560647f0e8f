"""The configuration of a private Dovecot, as text. Pure.

Every process runs as one unprivileged user on loopback, all state lies in one directory. Each account is a
password file of its own (`users/<name>`), so that accounts added while the server runs are found at once: one shared
file would be looked at again only once a second.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from migrator.demo.premises import Owner

HOSTER_FOLDERS: Final[Mapping[str, str]] = {
    "Sent": "\\Sent",
    "Drafts": "\\Drafts",
    "Trash": "\\Trash",
    "Junk": "\\Junk",
    "Archive": "\\Archive",
}
"""The special folders a hoster's server gives to every new mailbox."""

MAIL_FORMATS: Final[Mapping[str, tuple[str, str, str]]] = {
    "maildir": ("maildir", "~/Maildir", "maildir++"),
    "maildir-fs": ("maildir", "~/Maildir", "fs"),
    "mbox": ("mbox", "~/mail", "fs"),
    "sdbox": ("sdbox", "~/sdbox", "fs"),
    "mdbox": ("mdbox", "~/mdbox", "fs"),
}
"""Name → driver, where, how folders lie on the disk. With `maildir` no folder name can hold a dot."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports. `imaps` and `pop3s` are None without TLS, `pop3` is None without POP3."""

    imap: int
    imaps: int | None
    pop3: int | None
    pop3s: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What one instance is to be. `home` holds certificates, accounts, mail and sockets."""

    home: Path
    owner: Owner
    ports: Ports
    greeting: str
    separator: str = "/"
    prefix: str = ""
    tls: bool = True
    quota_storage: str | None = None
    special_folders: Mapping[str, str] = dataclasses.field(default_factory=dict)
    max_connections: int = 50
    extra: str = ""
    imap_capability: str | None = None
    mail_format: str = "maildir"


def account_line(user: str, password: str) -> str:
    """The content of one account's password file."""
    if any(sign in user for sign in ":/\n\0") or any(sign in password for sign in ":\n\0"):
        raise ValueError("a test account's name or password must not contain a colon, a slash or a line break")
    return f"{user.lower()}:{{PLAIN}}{password}\n"


def configuration(layout: Layout, version: str) -> str:
    """dovecot.conf in the syntax of that version: 2.3 (tried with 2.3.19) or 2.4 and later (tried with 2.4.1)."""
    old = tuple(int(part) for part in version.split(".")[:2]) < (2, 4)
    head = _head_2_3(layout) if old else _head_2_4(layout)
    return "".join([head, _namespace(layout), _listeners(layout), layout.extra])


def _head_2_3(layout: Layout) -> str:
    driver, path, tree = MAIL_FORMATS[layout.mail_format]
    parts = [
        _common(layout),
        f"""
disable_plaintext_auth = no
mail_location = {driver}:{path}:LAYOUT={tree}{":INBOX=~/inbox" if driver == "mbox" else ""}
passdb {{
  driver = passwd-file
  args = {layout.home}/users/%u
}}
userdb {{
  driver = static
  args = uid={layout.owner.uid} gid={layout.owner.gid} home={layout.home}/mail/%u
}}
""",
    ]
    if layout.tls:
        parts.append(f"ssl = yes\nssl_cert = <{layout.home}/cert.pem\nssl_key = <{layout.home}/key.pem\n")
    if layout.quota_storage is not None:
        parts.append(_quota_2_3(layout.quota_storage))
    return "".join(parts)


def _quota_2_3(storage: str) -> str:
    return f"""
mail_plugins = $mail_plugins quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage={storage}
  quota_grace = 0
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
"""


def _head_2_4(layout: Layout) -> str:
    driver, path, tree = MAIL_FORMATS[layout.mail_format]
    parts = [
        "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n",
        _common(layout),
        f"""
auth_allow_cleartext = yes
mail_driver = {driver}
mail_path = {path}
mailbox_list_layout = {tree}
passdb passwd-file {{
  passwd_file_path = {layout.home}/users/%{{user}}
}}
userdb static {{
  fields {{
    uid = {layout.owner.uid}
    gid = {layout.owner.gid}
    home = {layout.home}/mail/%{{user}}
  }}
}}
""",
    ]
    if driver == "mbox":
        parts.append("mail_inbox_path = ~/inbox\n")
    if layout.tls:
        parts.append(
            f"ssl = yes\nssl_server_cert_file = {layout.home}/cert.pem\nssl_server_key_file = {layout.home}/key.pem\n"
        )
    if layout.quota_storage is not None:
        parts.append(_quota_2_4(layout.quota_storage))
    return "".join(parts)


def _quota_2_4(storage: str) -> str:
    return f"""
mail_plugins {{
  quota = yes
}}
quota "User quota" {{
  driver = count
  quota_storage_size = {storage}
  quota_storage_grace = 0
}}
protocol imap {{
  mail_plugins {{
    imap_quota = yes
  }}
}}
"""


def _common(layout: Layout) -> str:
    """What both syntaxes write alike."""
    text = f"""
base_dir = {layout.home}/run
state_dir = {layout.home}/run
log_path = /dev/stderr
default_login_user = {layout.owner.user}
default_internal_user = {layout.owner.user}
default_internal_group = {layout.owner.group}
default_process_limit = 200
default_client_limit = 2000
first_valid_uid = 1
first_valid_gid = 1
protocols = {"imap pop3" if layout.ports.pop3 else "imap"}
listen = 127.0.0.1
login_greeting = {layout.greeting}
auth_mechanisms = plain login
auth_failure_delay = 0
mail_fsync = never
mail_max_userip_connections = {layout.max_connections}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""
    if not layout.tls:
        text += "ssl = no\n"
    if layout.imap_capability is not None:
        text += f"imap_capability = {layout.imap_capability}\n"
    return text


def _namespace(layout: Layout) -> str:
    folders = "".join(
        f'  mailbox "{name}" {{\n    special_use = {use}\n    auto = subscribe\n  }}\n'
        for name, use in layout.special_folders.items()
    )
    return (
        f"namespace inbox {{\n  inbox = yes\n  separator = {layout.separator}\n"
        f"  prefix = {layout.prefix}\n{folders}}}\n"
    )


def _listeners(layout: Layout) -> str:
    ports = layout.ports
    text = _login_service("imap", ports.imap, ports.imaps)
    if ports.pop3:
        text += _login_service("pop3", ports.pop3, ports.pop3s)
    return text


def _login_service(protocol: str, port: int, tls_port: int | None) -> str:
    return f"""
service {protocol}-login {{
  chroot =
  inet_listener {protocol} {{
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = {tls_port or 0}
    ssl = yes
  }}
}}
"""
