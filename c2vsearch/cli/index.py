"""`c2vsearch index`: build an index, or bring it up to date."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from c2vsearch.cli.console import duration, messages, print_json
from c2vsearch.cli.find_index import find_index
from c2vsearch.cli.options import chunk_sizes, given, globs, names, size_of
from c2vsearch.cli.progress import progress
from c2vsearch.cli.summary import changes_of, plan_record, report_record, show_plan, show_report
from c2vsearch.cli.task import IndexInstruction, IndexTask, task_of_index
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, IndexingConfig, Precision
from c2vsearch.errors import IndexLocked, InvalidConfig
from c2vsearch.task import Task

if TYPE_CHECKING:
    from c2vsearch.indexing import IndexPlan, IndexReport, Progress

EXAMPLES = """Examples:

c2vsearch index ~/notes

c2vsearch index docs --include '*.md' --index /srv/indexes/docs

c2vsearch index ~/papers --dry-run

c2vsearch index ~/notes ~/papers --index indexes/mine

c2vsearch index

pandoc notes.wiki | c2vsearch index - --name notes.md --index indexes/mine

c2vsearch index ~/mail --target-recall 0.95 --max-memory 2GB

c2vsearch index faq.csv --task duplicate

c2vsearch index support.jsonl --text-field body --id-field ticket --metadata-fields team,opened"""


def index(
    directories: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="Directories, or files; - is stdin; without one, all that the index is of."),
    ] = None,
    place: Annotated[
        Path | None,
        typer.Option("--index", envvar="C2VSEARCH_INDEX", help="Its place; ./indexes/<DIR name> by default."),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What stdin is called in the index; it replaces what has the name.")
    ] = "stdin.txt",
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
    task: IndexTask = None,
    instruction: IndexInstruction = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda: where models on torch run, and large indexes are built.")
    ] = EncodingConfig.device,
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
    target_recall: Annotated[
        float | None,
        typer.Option(help="Share of the true ten nearest an approximate search must find; 0.98. 1 is always exact."),
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What vector search may load, e.g. 4GB; no limit.")
    ] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="What a vector search may take on one thread; 10.")
    ] = None,
    factory: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="A FAISS factory string, e.g. IVF1024,SQ8; '' chooses by measure."),
    ] = None,
    token_codes: Annotated[
        bool | None,
        typer.Option(
            "--token-codes/--no-token-codes",
            help="Store what reranking reads, about 2 kB a chunk; so by default, for models that have it.",
            show_default=False,
        ),
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Make an index of other directories one of DIR as well.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and about how long it would take.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and follow the changes until Ctrl-C.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Start again from nothing.")] = False,
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="How long to wait while another process writes to the index."),
    ] = 0.0,
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
    walking = given(
        hidden=hidden, ignore_files=ignore, follow_symlinks=follow_symlinks,
        max_file_bytes=size_of(max_file_size, "--max-file-size"), include=globs(include), exclude=globs(exclude),
    )  # fmt: skip
    if Path("-") in (directories or ()):
        if directories != [Path("-")] or dry_run or watch:
            raise InvalidConfig("- reads stdin; expected it alone, without --dry-run and --watch")
        directories, place, walking, add = *_piped(name, place), True
    run = Run(
        roots=tuple(directories or ()), index=place if directories else find_index(place), model=model, add=add,
        rebuild=rebuild, metadata=metadata, wait_seconds=wait, indexing=IndexingConfig(device=device),
        encoding=EncodingConfig(dim=dim, device=device, precision=cast(Precision, precision)),
        walking=walking,
        reading=given(
            text_field=text_field, id_field=id_field, metadata_fields=names(metadata_fields), workers=workers,
            timeout_seconds=reader_timeout, max_memory_bytes=size_of(reader_memory, "--reader-memory"),
        ),
        chunking=chunk_sizes(max_tokens, overlap_tokens), task=task_of_index(task, instruction),
        spec=given(
            target_recall=target_recall, max_memory_bytes=size_of(max_memory, "--max-memory"),
            max_latency_ms=max_latency_ms, factory=factory, token_codes=token_codes,
        ),
    )  # fmt: skip
    if dry_run and as_json:
        print_json(plan_record(run.plan()))
    elif dry_run:
        show_plan(run.plan())
    elif watch:
        _follow(run, quiet=quiet)
    else:
        _index_once(run, quiet=quiet, as_json=as_json)


def _piped(name: str, place: Path | None) -> tuple[list[Path], Path, dict[str, Any]]:
    """Keep stdin beside its index: what to index, where, and which of it."""
    from c2vsearch.indexing import default_index, keep_piped
    from c2vsearch.indexing.piped import PIPED_WALKING

    index = place or default_index(Path("stdin"))
    return [keep_piped(sys.stdin.buffer.read(), name=name, index=index)], index, dict(PIPED_WALKING)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was asked for."""

    roots: tuple[Path, ...]
    index: Path | None
    model: str | None
    encoding: EncodingConfig
    indexing: IndexingConfig
    walking: dict[str, Any]
    reading: dict[str, Any]
    chunking: ChunkingConfig | None
    metadata: str | None
    spec: dict[str, Any]
    task: Task | str | None
    add: bool
    rebuild: bool
    wait_seconds: float

    @property
    def place(self) -> Path:
        """Where the index lies, or will."""
        from c2vsearch.indexing import default_index

        return self.index or default_index(self.roots[0])

    def sync_in_turn(
        self, *, encoder: Any = None, on_progress: Callable[[Progress], None] | None = None
    ) -> IndexReport:
        """Do it once no other process writes, or say that one does when the time is over."""
        from c2vsearch.collection.lock import wait_until_free

        until = time.monotonic() + self.wait_seconds
        while True:
            if self.wait_seconds:
                wait_until_free(self.place, max(until - time.monotonic(), 0.0))
            try:
                return self.sync(encoder=encoder, on_progress=on_progress)
            except IndexLocked:  # a third one was faster
                if time.monotonic() >= until:
                    raise

    def sync(self, *, encoder: Any = None, on_progress: Callable[[Progress], None] | None = None) -> IndexReport:
        """Do it, with an encoder that is loaded already where there is one."""
        from c2vsearch.indexing import index_directory

        return index_directory(
            self.roots, index=self.index, encoder=encoder or self.model, encoding=self.encoding, walking=self.walking,
            reading=self.reading, chunking=self.chunking, metadata=self.metadata, indexing=self.indexing,
            spec=self.spec, task=self.task, add=self.add, rebuild=self.rebuild, on_progress=on_progress,
        )  # fmt: skip

    def plan(self) -> IndexPlan:
        """See what would be done."""
        from c2vsearch.indexing import plan_index

        return plan_index(
            self.roots, index=self.index, encoder=self.model, encoding=self.encoding, walking=self.walking,
            reading=self.reading, chunking=self.chunking, metadata=self.metadata, spec=self.spec, task=self.task,
            add=self.add, rebuild=self.rebuild,
        )  # fmt: skip


def _index_once(run: Run, *, quiet: bool, as_json: bool) -> None:
    from c2vsearch.indexing import IndexingInterrupted

    interrupted = False
    with progress(quiet=quiet or as_json) as on_progress:
        try:
            report = run.sync_in_turn(on_progress=on_progress)
        except IndexingInterrupted as stop:
            report, interrupted = stop.report, True
    if as_json:
        print_json(report_record(report))
    elif not quiet:
        show_report(report, interrupted=interrupted, default_place=run.index is None)
    if interrupted:
        raise typer.Exit(130)
    if any(file.status == "failed" for file in report.files):
        raise typer.Exit(1)


def _follow(run: Run, *, quiet: bool) -> None:
    """A sync after each change, with one model loaded; only the first summary is whole."""
    from c2vsearch.indexing import IndexingInterrupted
    from c2vsearch.indexing import watch as watch_files
    from c2vsearch.indexing.job import last_version, model_of

    first = True
    place = run.place
    base = None if run.rebuild else last_version(place)
    encoder = model_of(base, run.model, run.encoding)
    roots = run.roots or tuple(Path(root.path) for root in (base.roots if base else ()))

    def tell(report: IndexReport) -> None:
        nonlocal first
        if not quiet and first:
            show_report(report, interrupted=False, default_place=run.index is None)
            messages().print("Watching for changes; Ctrl-C ends it.")
        elif not quiet and set(report.counts) != {"unchanged"}:
            messages().print(f"{changes_of(report)}: {report.encoded} chunks embedded in {duration(report.seconds)}")
        first = False

    try:
        # What is embedded again from nothing is so once, not after each change.
        again = replace(run, rebuild=False)
        watch_files(
            roots, index=place, sync=lambda: (run if first else again).sync_in_turn(encoder=encoder), on_report=tell
        )
    except (KeyboardInterrupt, IndexingInterrupted):
        if not quiet:
            messages().print("Stopped. What is finished is kept.")
        raise typer.Exit(130) from None
