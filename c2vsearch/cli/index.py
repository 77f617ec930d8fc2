"""`c2vsearch index`: build an index, or bring it up to date."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from c2vsearch.cli.console import duration, messages, plain_table, print_json, results, size
from c2vsearch.cli.find_index import find_index
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, Precision
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import path_of
from c2vsearch.terminal import visible, visible_line

if TYPE_CHECKING:
    from c2vsearch.indexing import IndexPlan, IndexReport, Progress
    from c2vsearch.records import FileReport

EXAMPLES = """Examples:

c2vsearch index ~/notes

c2vsearch index docs --include '*.md' --index /srv/indexes/docs

c2vsearch index ~/papers --dry-run

c2vsearch index ~/notes ~/papers --index indexes/mine

c2vsearch index

c2vsearch index support.jsonl --text-field body --id-field ticket --metadata-fields team,opened"""
PROBLEMS_SHOWN = 8
CHANGES_SHOWN = 3
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)


def index(
    directories: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="Directories, or files; without one, all that the index is of."),
    ] = None,
    place: Annotated[
        Path | None,
        typer.Option("--index", envvar="C2VSEARCH_INDEX", help="Its place; ./indexes/<DIR name> by default."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A bundled model by name, the folder of one, st:NAME_OR_PATH or openai:URL#MODEL; by default that of "
            f"the index, {DEFAULT_MODEL} for a new one."
        ),
    ] = None,
    dim: Annotated[
        int | None, typer.Option(help="Shorter embeddings, for models trained for it; recorded in the index.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda: where models on torch run.")] = EncodingConfig.device,
    precision: Annotated[str, typer.Option(help="auto, int8, fp32 or bf16.")] = EncodingConfig.precision,
    include: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only files that match; repeatable.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="No files that match; repeatable.")] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden/--no-hidden", help="Hidden files as well.", show_default=False)
    ] = None,
    ignore: Annotated[
        bool | None,
        typer.Option("--ignore/--no-ignore", help="Honour .gitignore and .c2vsearchignore.", show_default=False),
    ] = None,
    follow_symlinks: Annotated[
        bool | None,
        typer.Option(
            "--follow-symlinks/--no-follow-symlinks",
            help="Read what symbolic links lead to, outside DIR as well.",
            show_default=False,
        ),
    ] = None,
    max_file_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Skip larger files, e.g. 500kB; 20MB for a new index.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(help=f"Tokens of a chunk, at most; {ChunkingConfig.max_tokens}, or as many as the model reads."),
    ] = None,
    overlap_tokens: Annotated[
        int | None,
        typer.Option(help=f"Tokens a chunk repeats of the one before, at most; {ChunkingConfig.overlap_tokens}."),
    ] = None,
    text_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where records (JSON, CSV, Parquet ...) have their text.")
    ] = None,
    id_field: Annotated[str | None, typer.Option(metavar="NAME", help="Where records have their id.")] = None,
    metadata_fields: Annotated[
        str | None, typer.Option(metavar="NAMES", help="What else to keep of records, with commas between.")
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="CSV or JSON lines with a column path: kept with each file's chunks."),
    ] = None,
    reader_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="How long reading a file, or one inside it, may take; 60, and always 2 s more for each MB.",
        ),
    ] = None,
    reader_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What a process that reads may take, e.g. 500MB; 2GB.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that read side by side; 1.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Make an index of other directories one of DIR as well.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and about how long it would take.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and follow the changes until Ctrl-C.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Start again from nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON on stdout.")] = False,
) -> None:
    """Index directories, or bring an index up to date: only what changed is embedded again.

    Markdown, text, HTML, reStructuredText, source code, CSV, JSON, Parquet, and archives of these; PDF and Word with
    their extras. The index records the options it was made with, and they hold until others are given. Ctrl-C keeps
    what is finished, and the same command goes on from there.
    """
    if watch and (dry_run or as_json):
        raise InvalidConfig("--watch goes with neither --dry-run nor --json; expected one of them")
    run = Run(
        roots=tuple(directories or ()), index=place if directories else find_index(place), model=model, add=add,
        rebuild=rebuild, metadata=metadata,
        encoding=EncodingConfig(dim=dim, device=device, precision=cast(Precision, precision)),
        walking=given(
            hidden=hidden, ignore_files=ignore, follow_symlinks=follow_symlinks,
            max_file_bytes=_size(max_file_size, "--max-file-size"),
            include=_globs(include), exclude=_globs(exclude),
        ),
        reading=given(
            text_field=text_field, id_field=id_field, metadata_fields=_names(metadata_fields), workers=workers,
            timeout_seconds=reader_timeout, max_memory_bytes=_size(reader_memory, "--reader-memory"),
        ),
        chunking=chunk_sizes(max_tokens, overlap_tokens),
    )  # fmt: skip
    if dry_run:
        _show_plan(run, as_json=as_json)
    elif watch:
        _follow(run, quiet=quiet)
    else:
        _index_once(run, quiet=quiet, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was asked for."""

    roots: tuple[Path, ...]
    index: Path | None
    model: str | None
    encoding: EncodingConfig
    walking: dict[str, Any]
    reading: dict[str, Any]
    chunking: ChunkingConfig | None
    metadata: str | None
    add: bool
    rebuild: bool

    def sync(self, *, encoder: Any = None, on_progress: Callable[[Progress], None] | None = None) -> IndexReport:
        """Do it, with an encoder that is loaded already where there is one."""
        from c2vsearch.indexing import index_directory

        return index_directory(
            self.roots, index=self.index, encoder=encoder or self.model, encoding=self.encoding, walking=self.walking,
            reading=self.reading, chunking=self.chunking, metadata=self.metadata, add=self.add, rebuild=self.rebuild,
            on_progress=on_progress,
        )  # fmt: skip

    def plan(self) -> IndexPlan:
        """See what would be done."""
        from c2vsearch.indexing import plan_index

        return plan_index(
            self.roots, index=self.index, encoder=self.model, encoding=self.encoding, walking=self.walking,
            reading=self.reading, chunking=self.chunking, metadata=self.metadata, add=self.add, rebuild=self.rebuild,
        )  # fmt: skip


def _index_once(run: Run, *, quiet: bool, as_json: bool) -> None:
    from c2vsearch.indexing import IndexingInterrupted

    interrupted = False
    with _progress(quiet=quiet or as_json) as on_progress:
        try:
            report = run.sync(on_progress=on_progress)
        except IndexingInterrupted as stop:
            report, interrupted = stop.report, True
    if as_json:
        print_json(_record(report))
    elif not quiet:
        _summary(report, interrupted=interrupted, default_place=run.index is None)
    if interrupted:
        raise typer.Exit(130)
    if any(file.status == "failed" for file in report.files):
        raise typer.Exit(1)


def _follow(run: Run, *, quiet: bool) -> None:
    """A sync after each change, with one model loaded; only the first summary is whole."""
    from c2vsearch.indexing import IndexingInterrupted, default_index
    from c2vsearch.indexing import watch as watch_files
    from c2vsearch.indexing.job import last_version, model_of

    first = True
    place = run.index or default_index(run.roots[0])
    base = None if run.rebuild else last_version(place)
    encoder = model_of(base, run.model, run.encoding)
    roots = run.roots or tuple(Path(root.path) for root in (base.roots if base else ()))

    def tell(report: IndexReport) -> None:
        nonlocal first
        if not quiet and first:
            _summary(report, interrupted=False, default_place=run.index is None)
            messages().print("Watching for changes; Ctrl-C ends it.")
        elif not quiet and set(report.counts) != {"unchanged"}:
            messages().print(f"{_changes(report)}: {report.encoded} chunks embedded in {duration(report.seconds)}")
        first = False

    try:
        # What is embedded again from nothing is so once, not after each change.
        again = replace(run, rebuild=False)
        watch_files(roots, index=place, sync=lambda: (run if first else again).sync(encoder=encoder), on_report=tell)
    except (KeyboardInterrupt, IndexingInterrupted):
        if not quiet:
            messages().print("Stopped. What is finished is kept.")
        raise typer.Exit(130) from None


def _changes(report: IndexReport) -> str:
    """What a sync found, without what stayed as it was."""
    settled = {"unchanged", "empty", "skipped", "failed"}
    shown = [file for file in report.files if file.status not in settled]
    names = ", ".join(f"{file.status} {visible_line(file.source)}" for file in shown[:CHANGES_SHOWN])
    return (
        names + (f" and {len(shown) - CHANGES_SHOWN} more" if len(shown) > CHANGES_SHOWN else "") or "no text changed"
    )


def _show_plan(run: Run, *, as_json: bool) -> None:
    plan = run.plan()
    if as_json:
        print_json(
            {
                "index": str(plan.index), "roots": list(map(str, plan.roots)), "counts": plan.counts,
                "chunks": plan.chunks,
                "to_embed": plan.to_embed, "tokens": plan.tokens, "seconds": round(plan.seconds, 1),
                "size_bytes": plan.size_bytes, "settings_changed": plan.settings_changed,
                "problems": _problems(plan.files),
            }
        )  # fmt: skip
        return
    console = results()
    if plan.settings_changed:
        console.print(f"Everything would be read again, because settings changed: {plan.settings_changed}")
    _show_files(console, plan.counts, plan.files)
    for hint in plan.hints:
        console.print(visible(hint))
    console.print(f"{plan.chunks} chunks in {visible_line(str(plan.index))}, {plan.to_embed} of them to embed")
    if plan.to_embed:
        cost = f"about {duration(plan.seconds)} on this machine, about {size(plan.size_bytes)} on disk"
        console.print(f"{plan.tokens:,} tokens, {cost}")
    console.print("Nothing was written.")


def given(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line; the index has the others."""
    return {name: value for name, value in options.items() if value is not None}


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _globs(globs: list[str] | None) -> tuple[str, ...] | None:
    """An empty one forgets those that are recorded."""
    return tuple(filter(None, globs)) if globs else None


def chunk_sizes(max_tokens: int | None, overlap_tokens: int | None) -> ChunkingConfig | None:
    """What was asked for; None leaves the sizes to the model."""
    if max_tokens is None and overlap_tokens is None:
        return None
    size = ChunkingConfig.max_tokens if max_tokens is None else max_tokens
    return ChunkingConfig.sized(size, overlap_tokens=overlap_tokens)


def _size(text: str | None, option: str) -> int | None:
    return None if text is None else parse_size(text, option=option)


def parse_size(text: str, *, option: str) -> int:
    """Bytes of a size as people write it.

    >>> parse_size("20MB", option="--size"), parse_size("1.5k", option="--size")
    (20000000, 1500)
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise InvalidConfig(f"{option} is {text!r}; expected a number of bytes, or one with kB, MB or GB")
    return int(float(match.group(1)) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[match.group(2).lower()])


def _progress(*, quiet: bool) -> AbstractContextManager[Callable[[Progress], None] | None]:
    console = messages()
    if quiet:
        return nullcontext(None)
    return _Bar(console) if console.is_terminal else nullcontext(_Lines(console))


class _Bar:
    """A live line on a terminal: share of the bytes, files, chunks, tokens a second, time left."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("reading", total=None, detail="")

    def __enter__(self) -> Callable[[Progress], None]:
        self._bar.__enter__()
        return self._update

    def __exit__(self, *details: Any) -> None:
        self._bar.__exit__(*details)

    def _update(self, progress: Progress) -> None:
        self._bar.update(
            self._task, description="embedding", total=max(progress.bytes, 1), completed=progress.bytes_done,
            detail=_detail(progress),
        )  # fmt: skip


class _Lines:
    """A plain line now and then where no terminal is."""

    def __init__(self, console: Any, *, every_s: float = 10.0) -> None:
        self._console, self._every_s, self._last_s = console, every_s, 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.seconds - self._last_s >= self._every_s:
            self._last_s = progress.seconds
            left = progress.seconds * (progress.bytes / max(progress.bytes_done, 1) - 1)
            self._console.print(f"{_detail(progress)}, about {duration(left)} left")


def _detail(progress: Progress) -> str:
    rate = progress.tokens / progress.seconds if progress.seconds else 0
    return f"{progress.files_done}/{progress.files} files, {progress.chunks} chunks, {rate:,.0f} tokens/s"


def _summary(report: IndexReport, *, interrupted: bool, default_place: bool) -> None:
    console = messages()
    if report.settings_changed:
        console.print(f"Everything was read again, because settings changed: {report.settings_changed}")
    _show_files(console, report.counts, report.files)
    for hint in report.hints:
        console.print(visible(hint))
    rate = f", {report.tokens / report.seconds:,.0f} tokens/s" if report.tokens and report.seconds > 0 else ""
    made = (
        f"{report.encoded} embedded, {report.reused} reused" if report.encoded or report.reused else "nothing to embed"
    )
    console.print(
        f"{report.chunks} chunks in {visible_line(str(report.index))} ({made}) in {duration(report.seconds)}{rate}"
    )
    if interrupted:
        console.print("Interrupted. What is finished is kept; the same command goes on from there.")
    elif report.chunks:
        where = "" if default_place else f" --index {visible_line(str(report.index))}"
        console.print(f'Next: c2vsearch query "your question"{where}', style="bold")
    else:
        console.print("There is nothing to search yet: no file had text that could be read.")


def _show_files(console: Any, counts: dict[str, int], files: Sequence[FileReport]) -> None:
    """How many files ended how, and the first of those that were left out."""
    table = plain_table("files", "", right=("files",))
    for state, count in counts.items():
        table.add_row(str(count), visible_line(state))
    console.print(table)
    # A missing extra is in the table and in its hint; the other files that were left out are named.
    problems = [
        file for file in files if file.status in {"skipped", "failed"} and not file.reason.startswith("needs-extra")
    ]
    for file in problems[:PROBLEMS_SHOWN]:
        console.print(
            f"  {visible_line(path_of(file.source, file.member))}: {file.reason}, {visible_line(file.detail)}",
            style="dim",
        )
    if len(problems) > PROBLEMS_SHOWN:
        console.print(f"  ... and {len(problems) - PROBLEMS_SHOWN} more: c2vsearch status --problems", style="dim")


def _record(report: IndexReport) -> dict[str, Any]:
    return {
        "index": str(report.index), "roots": list(map(str, report.roots)), "version": report.version,
        "counts": report.counts,
        "chunks": report.chunks, "encoded": report.encoded, "reused": report.reused, "tokens": report.tokens,
        "seconds": round(report.seconds, 3),
        "problems": _problems(report.files),
    }  # fmt: skip


def _problems(files: Sequence[FileReport]) -> list[dict[str, str]]:
    return [
        {"path": path_of(file.source, file.member), "status": file.status, "reason": file.reason, "detail": file.detail}
        for file in files if file.status in {"skipped", "failed"}
    ]  # fmt: skip
