"""What a run would do: files, chunks, tokens, time and disk. Everything is read and cut; nothing is written."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from c2vsearch.collection import Collection, SourceState
from c2vsearch.collection.roots import joined
from c2vsearch.collection.sources import SourceTable
from c2vsearch.config import ChunkingConfig, EncodingConfig
from c2vsearch.encoder import Encoder
from c2vsearch.errors import IndexNotFound
from c2vsearch.indexing.accounting import missing_root, state_of, verdict
from c2vsearch.indexing.changes import Changes
from c2vsearch.indexing.job import Job, Reading, Roots, Spec, Walking, prepare
from c2vsearch.indexing.part import Part
from c2vsearch.indexing.reading import CutFile, ahead
from c2vsearch.indexing.report import counts
from c2vsearch.indexing.reports import Reports, settled
from c2vsearch.indexing.sightings import Sightings
from c2vsearch.indexing.triage import triage
from c2vsearch.ingest.workers import Workers
from c2vsearch.model.token_codec import TOKENS_CODED
from c2vsearch.records import Chunk, FileReport, SourceFile
from c2vsearch.task import Task

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
    roots: tuple[Path, ...]
    files: Sequence[FileReport]
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
    roots: Roots, *, index: Path | str | None = None, encoder: Encoder | str | Path | None = None,
    encoding: EncodingConfig | None = None, walking: Walking | None = None, reading: Reading | None = None,
    chunking: ChunkingConfig | None = None, metadata: Path | str | None = None, spec: Spec | None = None,
    task: Task | str | None = None, add: bool = False, rebuild: bool = False,
) -> IndexPlan:  # fmt: skip
    r"""What `index_directory` would do with the same arguments. Counts are exact; time and disk are estimated.

    Raises:
        SourceNotFound: There is nothing at a root.
        EncoderMismatch: The index was built with another model, or its documents for another task.

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
        roots, index=index, encoder=encoder, encoding=encoding, walking=walking, reading=reading, chunking=chunking,
        metadata=metadata, spec=spec, task=task, add=add, rebuild=rebuild,
    )  # fmt: skip
    base = None if rebuild else _base(job)
    changes = Changes(base.manifest if base else None, job)
    survey = _Survey(job, base, changes)
    survey.run()
    seconds = survey.tokens / _tokens_per_second(job.encoder, survey.sample) if survey.tokens else 0.0
    return IndexPlan(
        index=job.index, roots=job.paths, files=survey.files(), chunks=survey.chunks, to_embed=len(survey.fresh),
        tokens=survey.tokens, seconds=seconds, size_bytes=survey.size_bytes, settings_changed=changes.words,
        hints=survey.reports.hints,
    )  # fmt: skip


def _base(job: Job) -> Collection | None:
    try:
        return Collection.open(job.index)
    except IndexNotFound:
        return None


@dataclass
class _Survey:
    """A run without an encoder and a writer."""

    job: Job
    base: Collection | None
    changes: Changes
    reports: Reports = field(default_factory=Reports)
    fresh: set[str] = field(default_factory=set)
    sample: list[Chunk] = field(default_factory=list)
    taken: dict[str, SourceState] = field(default_factory=dict)
    chunks: int = 0
    tokens: int = 0
    size_bytes: int = 0

    @cached_property
    def before(self) -> SourceTable:
        return self.base.sources if self.base else SourceTable()

    @cached_property
    def known(self) -> set[str]:
        """What has a vector already."""
        return {chunk.hash for chunk in self.base.iter_chunks()} if self.base else set()

    def run(self) -> None:
        sightings = Sightings(self.before)
        roots = joined(self.base.manifest.roots if self.base else (), self.job.roots)
        for part in self.job.parts:
            self._examine(part, sightings)
            for state in sightings.gone(part, roots):
                if state.status == "indexed":
                    self.reports.add(FileReport(state.source, "deleted", chunks=state.chunks))

    def _examine(self, part: Part, sightings: Sightings) -> None:
        if part.missing:
            self.reports.add(missing_root(part))
        for report in part.refused:
            sightings.see(report.source)
            self.reports.add(report)
        reread = self.changes.reread(part.root)
        found = triage(part, sightings=sightings, reports=self.reports, reread=reread)
        self.chunks += found.chunks
        self._read(part, found.files(), {} if reread else self.before)

    def _read(self, part: Part, files: Iterable[SourceFile], before: Mapping[str, SourceState]) -> None:
        with Workers(part.root.reading) as workers:
            cutter = self.job.cutter(part, before, workers=workers)
            with closing(ahead(cutter.batches(files, size=self.job.batch_size), by=1)) as batches:
                for batch in batches:
                    for cut in batch:
                        self._take(cut, self.before.get(cut.file.source))

    def _take(self, cut: CutFile, state: SourceState | None) -> None:
        report = verdict(cut, state)
        self.reports.add(report, *cut.refused)
        self.taken[report.source] = state_of(cut, report)
        self.chunks += report.chunks
        for chunk in cut.chunks:
            self.size_bytes += self._row_bytes(chunk)
            if chunk.hash not in self.known and chunk.hash not in self.fresh:
                self.fresh.add(chunk.hash)
                self.tokens += chunk.tokens
                self._sample(chunk)

    def _row_bytes(self, chunk: Chunk) -> int:
        # Vectors are kept twice, in the shard and in the segment.
        fixed = 2 * 2 * self.job.encoder.fingerprint.dim + ROW_BYTES
        codes = self.job.code_bytes * min(chunk.tokens, TOKENS_CODED)
        return fixed + codes + int(TEXT_SHARE * len(chunk.text.encode("utf-8", "surrogatepass")))

    def _sample(self, chunk: Chunk) -> None:
        """Spread over all of them: each time there are twice as many as wanted, every second one goes."""
        self.sample.append(chunk)
        if len(self.sample) >= 2 * SAMPLE_CHUNKS:
            self.sample = self.sample[::2]

    def files(self) -> Sequence[FileReport]:
        after = ChainMap(self.taken, self.before)  # type: ignore[arg-type]  # nothing is written to it
        return settled(self.reports, before=self.before, after=after)


def _tokens_per_second(encoder: Encoder, chunks: Iterable[Chunk]) -> float:
    sample = list(chunks)[:SAMPLE_CHUNKS]
    encoder.encode_documents([sample[0].embedded_text])  # the first one loads and warms
    began = time.perf_counter()
    encoder.encode_documents([chunk.embedded_text for chunk in sample])
    return sum(chunk.tokens for chunk in sample) / max(time.perf_counter() - began, 1e-6)
