"""`postwagen check`: preflight of one or both ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from migrator import settings as all_settings
from migrator.cli import complain
from migrator.commands.archives import ARCHIVE
from migrator.commands.carrying import Moment, chosen_options, folders, to_server
from migrator.commands.passwords import supplier
from migrator.commands.proving import MANIFEST, check_archive, check_manifest
from migrator.errors import UsageError
from migrator.jobs.advising import AdviceReport, probe_both
from migrator.jobs.fitting import finding_json, fitting
from migrator.jobs.oneshot.command import carried
from migrator.jobs.orders import mapping_rules
from migrator.jobs.probe import PreviewRow, ProbeReport, preview, preview_json, probe_end
from migrator.planning.advice import advice_text
from migrator.planning.limits import Finding, Severity, finding_text, size_text
from migrator.planning.mapping import MappingRules
from migrator.sessions.endpoint import Endpoint, parse_url


@click.command(
    short_help="Look before you copy.",
    epilog="Example: postwagen check imaps://info%40example.org@old.example imaps://…@new.example",
)
@click.argument("source")
@click.argument("target", required=False)
@click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output.")
@click.option("--source-password-file", metavar="FILE", help="First line; - for standard input.")
@folders
@to_server
@click.option("--key-file", type=click.Path(path_type=Path), help="An archive's key. Default: PATH.key, beside it.")
@click.option(
    "--fetches-by-pop3", type=click.Choice(["yes", "no"]),
    help="Whether a program of the customer's still fetches this mailbox by POP3. Not given: nobody has asked yet.",
)  # fmt: skip
@click.option("--at", type=Moment(), help="An archive as it was then. Default: the latest complete pass.")
@click.option("--manifest", type=click.Path(path_type=Path), help="Write the archive's signed manifest there.")
@click.option("--public-key", multiple=True, metavar="KEY", help="Who must have signed a manifest. Default: we.")
def check(
    source: str,
    target: str | None,
    as_json: bool,
    source_password_file: str | None,
    key_file: Path | None,
    fetches_by_pop3: str | None,
    at: str | None,
    manifest: Path | None,
    public_key: tuple[str, ...],
    target_password_file: str | None,
    **given: Any,
) -> int:
    """Look before you copy: reachable, TLS, login, folders, sizes, quota, and where each folder would go.

    --map, --under, --include, --exclude, --apart and --shared: where it would go if they were given to copy.

    The old end is tried by IMAP and by POP3, with one login each, and advice says which way its mail goes.

    `check archive:PATH` reads an archive from end to end; says how many messages of the source it holds, and names
    each that is missing or damaged. `check manifest:FILE` verifies a manifest, and says who signed it.
    """
    settings = all_settings.load()
    rules = mapping_rules(chosen_options(given))
    if target and source.startswith((ARCHIVE, MANIFEST)):
        hint = "`postwagen verify archive:PATH TARGET` compares an archive with a mailbox."
        raise UsageError("An archive or a manifest is checked alone.", hint=hint)
    if source.startswith(ARCHIVE):
        return check_archive(source, key_file, at, manifest, settings, as_json)
    if source.startswith(MANIFEST):
        return check_manifest(source, public_key, settings, as_json)
    passwords = all_settings.load_passwords()
    ends = {"source": parse_url(source, supplier("source", source_password_file, passwords.source))}
    if target:
        ends["target"] = parse_url(target, supplier("target", target_password_file, passwords.target))
    answer = None if fetches_by_pop3 is None else fetches_by_pop3 == "yes"
    return _check_servers(ends, rules, answer, settings, as_json)


def _check_servers(
    ends: dict[str, Endpoint], rules: MappingRules, answer: bool | None, settings: all_settings.Settings, as_json: bool
) -> int:
    """`answer`: whether a program of the customer's still fetches by POP3, as far as anybody knows."""
    new = probe_end(ends["target"], "target", None) if "target" in ends else None
    both = probe_both(ends["source"], None, answer, above=_smallest_limit(new))
    reports = {"source": both.given} | ({"target": new} if new is not None else {})
    rows: list[PreviewRow] = []
    if len(reports) == 2 and all(report.ok for report in reports.values()):
        rows = preview(reports["source"], reports["target"], rules)
    found = _findings(ends, reports, rules, settings)
    if as_json:
        shown = _json(ends, reports, rows) | {"advice": _advice_json(both)}
        shown["findings"] = [finding_json(one) for one in found]
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        _show(ends, reports, rows, [advice_text(both.advice.track), *map(advice_text, both.advice.notes)])
        _show_findings(found)
    errors = [report.error for report in reports.values() if report.error]
    for error in errors:
        complain(error)
    return errors[0].exit_code if errors else 0


def _smallest_limit(target: ProbeReport | None) -> int | None:
    """From which size on messages do not fit everywhere; None: the new end names no limit."""
    if target is None:
        return None
    said = (target.max_octets, *target.max_octets_in.values())
    return min((limit for limit in said if limit is not None), default=None)


def _findings(
    ends: dict[str, Endpoint], reports: dict[str, ProbeReport], rules: MappingRules, settings: all_settings.Settings
) -> tuple[Finding, ...]:
    """What will not fit, as far as both ends let themselves be asked."""
    source, target = reports["source"], reports.get("target")
    if not source.ok:
        return ()
    if target is None or not target.ok:
        return fitting(source, None, rules, hosts=(ends["source"].host, ""))
    before = carried(settings.data_dir, ends["source"], ends["target"])
    hosts = ends["source"].host, ends["target"].host
    return fitting(source, target, rules, hosts=hosts, carried=before)


def _advice_json(both: AdviceReport) -> dict[str, Any]:
    """`imap` and `pop3`: what each check of the old end saw, or null where it was not tried."""
    shown: dict[str, Any] = {
        "track": both.advice.track.value,
        "text": advice_text(both.advice.track),
        "notes": [{"code": note.value, "text": advice_text(note)} for note in both.advice.notes],
        "imap": None,
        "pop3": None,
    }
    for protocol, report in both.reports.items():
        end = both.ends[protocol]
        shown[protocol] = {
            "ok": report.ok, "host": end.host, "port": end.port, "security": end.security,
            "messages": report.messages, "folders": report.folders,
            "error": report.error.as_dict() if report.error else None,
        }  # fmt: skip
    return shown


def _json(ends: dict[str, Endpoint], reports: dict[str, ProbeReport], rows: list[PreviewRow]) -> dict[str, Any]:
    shown: dict[str, Any] = {"verb": "check", "outcome": "succeeded"}
    for role, report in reports.items():
        if report.error:
            shown["outcome"] = "failed"
            shown.setdefault("error", report.error.as_dict())
        shown[role] = {
            "ok": report.ok,
            "host": ends[role].host,
            "port": ends[role].port,
            "tls": report.tls or None,
            "folders": report.folders,
            "messages": report.messages,
            "octets": report.octets,
            "quota": {"used": report.quota[0], "limit": report.quota[1]} if report.quota else None,
            "max_octets": report.max_octets,
            "capabilities": list(report.notes),
            "error": report.error.as_dict() if report.error else None,
        }
    shown["mapping"] = [preview_json(row) for row in rows]
    shown.setdefault("error", None)
    return shown


def _show(
    ends: dict[str, Endpoint], reports: dict[str, ProbeReport], rows: list[PreviewRow], advice: list[str]
) -> None:
    console = Console(highlight=False)
    for role, report in reports.items():
        if not report.ok:
            continue
        size = f", {report.octets / 1e6:.1f} MB" if report.octets is not None else ""
        quota = f", {report.quota[0] / 1e6:.0f} of {report.quota[1] / 1e6:.0f} MB used" if report.quota else ""
        line = f"{role}: {ends[role].host}:{ends[role].port}, {report.tls or 'clear text'}, logged in; "
        console.print(f"{line}{report.messages} messages in {report.folders} folders{size}{quota}", markup=False)
        console.print(f"  {' '.join(report.notes)}", markup=False)
    if rows:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("folder", "goes to", "why"):
            table.add_column(name, overflow="fold")
        table.add_column("messages", justify="right")
        for row in rows:
            target = row.target + ("" if row.exists else " (new)") if row.target else "stays behind"
            number = "" if row.messages is None else str(row.messages)
            table.add_row(row.source, target, f"role {row.role}" if row.reason == "role" else row.reason, number)
        console.print(table)
    for line in advice:
        console.print(f"Advice: {line}", markup=False)


def _show_findings(found: Sequence[Finding]) -> None:
    """A line for each: what was found, and what to do; messages that are too large below it."""
    console = Console(highlight=False)
    for one in found:
        word = "Will not fit" if one.severity is Severity.WILL_NOT_FIT else "Look"
        console.print(f"{word}: {' '.join(finding_text(one))}", markup=False)
        for large in one.large:
            console.print(f"  {large.folder} {large.key}: {size_text(large.size)}", markup=False)
        if one.folders:
            more = f" and {one.number - len(one.folders)} more" if one.number > len(one.folders) else ""
            console.print(f"  {', '.join(one.folders)}{more}", markup=False)
