"""The `postwagen` command: options, and errors in one line with their remedy and the promised exit code."""

from __future__ import annotations

import gc
import importlib
import json
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import click

from migrator.errors import Defect, PostwagenError, Stopped, UsageError

_COMMANDS = {
    "serve": "migrator.commands.serving:serve",
    "copy": "migrator.commands.carrying:copy",
    "verify": "migrator.commands.carrying:verify",
    "check": "migrator.commands.checking:check",
    "archive": "migrator.commands.carrying:archive",
    "play-in": "migrator.commands.carrying:play_in",
    "export": "migrator.commands.exporting:export",
    "quarantine": "migrator.commands.quarantining:quarantine",
    "remove-collected": "migrator.commands.removing:remove_collected",
    "archives": "migrator.commands.keeping:archives",
    "demo": "migrator.commands.demonstrating:demo",
    "user": "migrator.commands.staff:user",
    "token": "migrator.commands.staff:token",
    "database": "migrator.commands.upkeep:database",
    "key": "migrator.commands.upkeep:key",
}

_ONE_SHOT = ("copy", "verify", "check", "archive", "play-in", "export", "quarantine", "remove-collected", "archives")


class _Lazy(click.Group):
    """Commands are imported when they are called: `postwagen --help` is quick, `copy` needs no web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which a newcomer needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None where there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        gc.disable()
        try:
            command = getattr(importlib.import_module(module), name)
        finally:
            gc.enable()
        gc.freeze()  # what was imported stays: the collector need not look through all of it time and again,
        gc.set_threshold(20_000)  # nor after every 700 things: what is made for a message is in no cycle
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="postwagen", prog_name="postwagen")
def group() -> None:
    """Moves mailboxes when a domain moves: every folder, flag and date, octet for octet, exactly once.

    \b
    Begin with:   postwagen demo
    One mailbox:  postwagen copy imaps://info%40example.org@old.example imaps://info%40example.org@new.example
    The service:  postwagen serve
    """


def complain(error: PostwagenError) -> None:
    """One line: what happened and what to do; the other side's words below it."""
    click.echo(f"postwagen: {error.message} {error.advice}".rstrip(), err=True)
    if error.detail:
        click.echo(f"  ({error.detail})", err=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] and words[0] in _ONE_SHOT and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # until there is something to stop in good order
    try:
        code = group.main(words, prog_name="postwagen", standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        _json_error(words, UsageError(error.format_message()))
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        stopped = Stopped("Interrupted.")
        complain(stopped)
        _json_error(words, stopped)
        sys.exit(stopped.exit_code)
    except PostwagenError as error:
        complain(error)
        _json_error(words, error)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends in one sentence and the promised code
        defect = Defect("Something went wrong that must not.", detail=f"{type(error).__name__}: {_place(error)}")
        complain(defect)
        _json_error(words, defect)
        sys.exit(defect.exit_code)
    gc.freeze()  # whoever leaves need not tidy up
    sys.exit(code if isinstance(code, int) else 0)


def _json_error(words: Sequence[str], error: PostwagenError) -> None:
    """With --json, standard output holds one object even if nothing could begin."""
    if "--json" in words:
        verb = words[0] if words else ""
        shown: dict[str, Any] = {"verb": verb, "outcome": error.outcome, "error": error.as_dict()}
        click.echo(json.dumps(shown, ensure_ascii=False))


def _place(error: Exception) -> str:
    """Where it happened; never the error's text, which may quote a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}"


if __name__ == "__main__":
    main()
