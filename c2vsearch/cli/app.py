"""Assembles the verbs and turns our errors into one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated

import typer

from c2vsearch import __version__
from c2vsearch.cli import (
    archive,
    bench,
    chunks,
    contents,
    distill,
    doctor,
    evaluate,
    export,
    index,
    mine,
    query,
    status,
    train,
    versions,
)
from c2vsearch.cli.rerank import RerankingCommand
from c2vsearch.errors import C2VSearchError
from c2vsearch.terminal import visible

EPILOG = (
    "Exit codes: 0 done or found, 1 nothing found, files failed or a mean below --min, 2 wrong usage, 3 index, model "
    "or package missing, 4 index locked, 5 other model, 6 damaged or newer format, 7 disk full, 130 interrupted."
)

app = typer.Typer(
    name="c2vsearch",
    help="Semantic search over your own documents, on your own machine.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("index", epilog=index.EXAMPLES)(index.index)
app.command("query", cls=RerankingCommand, epilog=query.EXAMPLES)(query.query)
app.command("search", cls=RerankingCommand, epilog=query.EXAMPLES, hidden=True)(query.query)
app.command("status", epilog=status.EXAMPLES)(status.status)
app.command("chunks", epilog=chunks.EXAMPLES)(chunks.chunks)
app.command("ls", epilog=contents.LS_EXAMPLES)(contents.ls)
app.command("get", epilog=contents.GET_EXAMPLES)(contents.get)
app.command("rm", epilog=contents.RM_EXAMPLES)(contents.rm)
app.command("log", epilog=versions.LOG_EXAMPLES)(versions.log)
app.command("restore", epilog=versions.RESTORE_EXAMPLES)(versions.restore)
app.command("verify", epilog=versions.VERIFY_EXAMPLES)(versions.verify)
app.command("bench", epilog=bench.EXAMPLES)(bench.bench)
app.command("compact", epilog=versions.COMPACT_EXAMPLES)(versions.compact)
app.command("vacuum", epilog=versions.VACUUM_EXAMPLES)(versions.vacuum)
app.command("pack", epilog=archive.PACK_EXAMPLES)(archive.pack)
app.command("unpack", epilog=archive.UNPACK_EXAMPLES)(archive.unpack)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("mine", epilog=mine.EXAMPLES)(mine.mine)
app.command("distill", epilog=distill.EXAMPLES)(distill.distill)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("doctor")(doctor.doctor)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"c2vsearch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Semantic search over your own documents, on your own machine."""


def main() -> None:
    """Run the command line.

    Our own errors become one line on stderr; any other exception is a bug and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _terminate)
    warnings.formatwarning = lambda message, *_, **__: f"c2vsearch: {visible(str(message))}\n"
    try:
        app()
    except C2VSearchError as error:
        sys.stderr.write(f"c2vsearch: {visible(str(error))}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nc2vsearch: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is wrong, and nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _terminate(number: int, frame: object) -> None:
    raise KeyboardInterrupt
