"""What a run would do: files, chunks, tokens, time and disk. Everything is read and cut; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from c2vsearch.collection import Collection, SourceState
from c2vsearch.collection.manifest import changed_settings
from c2vsearch.collection.writer import refuse_mismatch
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, ReadingConfig, WalkConfig
from c2vsearch.encoder import Encoder
from c2vsearch.errors import IndexNotFound
from c2vsearch.indexing.accounting import gone, settled, state_of, triage, verdict
from c2vsearch.indexing.job import Job, prepare
from c2vsearch.indexing.reading import CutFile, ahead
from c2vsearch.indexing.report import counts
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import Chunk, FileReport, SourceFile

# Encoded to see how fast this machine is: enough to be warm, few enough to take a second or two.
SAMPLE_CHUNKS = 48
# A chunk beside its text and its vector: ids, offsets, and its place in the files.
ROW_BYTES = 60
# Of a byte of text, compressed, with its words in the keyword index: 0.4 to 1.0 on samples, more in small indexes.
TEXT_SHARE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlan:
    """What a run would do. ``tokens`` are those to embed, ``seconds`` and ``size_bytes`` are estimates for them."""

    index: Path
    root: Path
    files: tuple[FileReport, ...]
    chunks: int
    to_embed: int
    tokens: int
    seconds: float
    size_bytes: int
    settings_changed: str = ""
    hints: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Files by status, and by reason where there is one."""
        return counts(self.files)


def plan_index(  # noqa: PLR0913  (the same choices as the run)
    root: Path | str, *, index: Path | str | None = None, encoder: Encoder | str | Path = DEFAULT_MODEL,
    encoding: EncodingConfig | None = None, walking: WalkConfig | None = None, reading: ReadingConfig | None = None,
    chunking: ChunkingConfig | None = None, metadata: Path | str | None = None, rebuild: bool = False,
) -> IndexPlan:  # fmt: skip
    r"""What `index_directory` would do with the same arguments. Counts are exact; time and disk are estimated.

    Raises:
        SourceNotFound: There is nothing at ``root``.
        EncoderMismatch: The index was built with another model.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "a.md").write_text("# Ferries\n\nThe ferry leaves at nine.")
    ...     plan = plan_index(Path(place, "a.md"), index=Path(place, "index"), encoder="hash")
    ...     Path(place, "index").exists()
    False
    >>> plan.counts, plan.to_embed
    ({'added': 1}, 1)
    """
    job = prepare(
        root, index=index, encoder=encoder, encoding=encoding, walking=walking, reading=reading, chunking=chunking,
        metadata=metadata,
    )  # fmt: skip
    base = None if rebuild else _base(job)
    changed = changed_settings(base.manifest, chunking=job.chunking, reading=job.reading_name) if base else ""
    survey = _Survey(job, base, changed)
    survey.run()
    seconds = survey.tokens / _tokens_per_second(job.encoder, survey.sample) if survey.tokens else 0.0
    return IndexPlan(
        index=job.index, root=job.root, files=survey.files(), chunks=survey.chunks, to_embed=len(survey.fresh),
        tokens=survey.tokens, seconds=seconds, size_bytes=survey.size_bytes, settings_changed=changed,
        hints=tuple(survey.hints),
    )  # fmt: skip


def _base(job: Job) -> Collection | None:
    try:
        base = Collection.open(job.index)
    except IndexNotFound:
        return None
    refuse_mismatch(job.index, base.manifest, job.encoder.fingerprint, str(job.root.resolve()))
    return base


@dataclass(slots=True)
class _Survey:
    """A run without an encoder and a writer."""

    job: Job
    base: Collection | None
    settings_changed: str
    reports: list[FileReport] = field(default_factory=list)
    hints: dict[str, None] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    sample: list[Chunk] = field(default_factory=list)
    after: dict[str, SourceState] = field(default_factory=dict)
    chunks: int = 0
    tokens: int = 0
    size_bytes: int = 0

    @property
    def before(self) -> dict[str, SourceState]:
        return dict(self.base.sources) if self.base else {}

    def run(self) -> None:
        before = self.before
        files = [entry for entry in self.job.entries if isinstance(entry, SourceFile)]
        self.reports = [entry for entry in self.job.entries if isinstance(entry, FileReport)]
        changed, same = triage(files, sources=before, reading=self.job.reading, reread=bool(self.settings_changed))
        self.reports += same
        self.chunks = sum(report.chunks for report in same)
        self.after = dict(before)
        known = {chunk.hash for chunk in self.base.iter_chunks()} if self.base and changed else set()
        with Workers(self.job.reading) as workers:
            cutter = self.job.cutter({} if self.settings_changed else before, workers=workers)
            with closing(ahead(cutter.batches(changed, size=self.job.batch_size), by=1)) as batches:
                for batch in batches:
                    for cut in batch:
                        self._take(cut, before.get(cut.file.source), known)
        for source in gone(before, self.job.entries):
            if before[source].status == "indexed":
                self.reports.append(FileReport(source, "deleted", chunks=before[source].chunks))

    def _take(self, cut: CutFile, state: SourceState | None, known: set[str]) -> None:
        report = verdict(cut, state)
        self.reports += [report, *cut.refused]
        self.after[report.source] = state_of(cut, report)
        self.chunks += report.chunks
        if cut.hint:
            self.hints[cut.hint] = None
        dim = self.job.encoder.fingerprint.dim
        for chunk in cut.chunks:
            # Vectors are kept twice, in the shard and in the segment.
            self.size_bytes += (
                2 * 2 * dim + ROW_BYTES + int(TEXT_SHARE * len(chunk.text.encode("utf-8", "surrogatepass")))
            )
            if chunk.hash not in known and chunk.hash not in self.fresh:
                self.fresh.add(chunk.hash)
                self.tokens += chunk.tokens
                self._sample(chunk)

    def _sample(self, chunk: Chunk) -> None:
        """Spread over all of them: each time there are twice as many as wanted, every second one goes."""
        self.sample.append(chunk)
        if len(self.sample) >= 2 * SAMPLE_CHUNKS:
            self.sample = self.sample[::2]

    def files(self) -> tuple[FileReport, ...]:
        return settled(self.reports, before=self.before, after=self.after)


def _tokens_per_second(encoder: Encoder, chunks: Iterable[Chunk]) -> float:
    sample = list(chunks)[:SAMPLE_CHUNKS]
    encoder.encode_documents([sample[0].embedded_text])  # the first one loads and warms
    began = time.perf_counter()
    encoder.encode_documents([chunk.embedded_text for chunk in sample])
    return sum(chunk.tokens for chunk in sample) / max(time.perf_counter() - began, 1e-6)
