"""What a run is to do, settled before anything is written: the files, the model, how they are read and cut."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from c2vsearch.collection import SourceState
from c2vsearch.config import READING_LIMITS, ChunkingConfig, EncodingConfig, ReadingConfig, WalkConfig
from c2vsearch.encoder import Encoder, load_encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.indexing.reading import Cutter
from c2vsearch.ingest import READING, walk
from c2vsearch.ingest.annotations import read_annotations
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import FileReport, Metadata, SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The parts of a run. ``reading_name`` names how files are read: when it changes, all of them are read again."""

    root: Path
    index: Path
    entries: list[SourceFile | FileReport]
    encoder: Encoder
    chunking: ChunkingConfig
    reading: ReadingConfig
    reading_name: str
    annotations: Mapping[str, Metadata]
    batch_size: int

    def cutter(self, known: Mapping[str, SourceState], *, workers: Workers) -> Cutter:
        """Reads and cuts the files of the job; one whose bytes are those of ``known`` is not cut."""

        def unchanged(source: str, content_hash: str) -> bool:
            state = known.get(source)
            return state is not None and state.status == "indexed" and state.content_hash == content_hash

        return Cutter(
            tokenizer=self.encoder.tokenizer, chunking=self.chunking, workers=workers,
            annotations=self.annotations, unchanged=unchanged,
        )  # fmt: skip


def prepare(
    root: Path | str, *, index: Path | str | None, encoder: Encoder | str | Path, encoding: EncodingConfig | None,
    walking: WalkConfig | None, reading: ReadingConfig | None, chunking: ChunkingConfig | None,
    metadata: Path | str | None,
) -> Job:  # fmt: skip
    """The job, with a missing root or a bad table told before a model is loaded.

    Raises:
        SourceNotFound: There is nothing at ``root``.
        InvalidConfig: Settings that do not go together, or a table of metadata that cannot be read.
        ModelNotFound: There is no such model.
    """
    root, reading = Path(root), reading or ReadingConfig()
    annotations = read_annotations(Path(metadata)) if metadata is not None else {}
    entries = list(walk(root, config=walking or WalkConfig()))
    encoding = encoding or EncodingConfig()
    model = encoder if isinstance(encoder, Encoder) else load_model(encoder, encoding)
    if encoding.dim not in (None, model.fingerprint.dim):
        raise InvalidConfig(
            f"dim is {encoding.dim}; the encoder given makes {model.fingerprint.dim}: expected one that was made so"
        )
    return Job(
        root=root,
        index=Path(index) if index is not None else default_index(root),
        entries=entries,
        encoder=model,
        chunking=_fitted(chunking, model),
        reading=reading,
        reading_name=reading_name(reading, annotations),
        annotations=annotations,
        batch_size=encoding.batch_size,
    )


def default_index(root: Path) -> Path:
    """Where the index of a directory goes when nothing else is said: ``indexes/<name>``.

    >>> default_index(Path("/home/me/My notes")).as_posix()
    'indexes/My-notes'
    """
    name = re.sub(r"[^\w.-]+", "-", root.resolve().name).strip("-.") or "index"
    return Path("indexes") / name


def load_model(name: str | Path, encoding: EncodingConfig) -> Encoder:
    """The encoder of a name, in the runtime that the settings ask for."""
    return load_encoder(
        name, precision=encoding.precision, device=encoding.device, threads=encoding.threads, dim=encoding.dim
    )


def reading_name(reading: ReadingConfig, annotations: Mapping[str, Metadata]) -> str:
    """The version of the readers, with the settings that are not the usual ones and a hash of the annotations.

    The limits of a reading process are left out: a file they stopped is tried again when they change, no other is.

    >>> reading_name(ReadingConfig(text_field="body"), {}).partition(" ")[2]
    "text_field='body'"
    """
    parts = [READING]
    for field in dataclasses.fields(reading):
        value = getattr(reading, field.name)
        if value != field.default and field.name not in READING_LIMITS:
            parts.append(f"{field.name}={value!r}")
    if annotations:
        said = repr(sorted((source, sorted(values.items())) for source, values in annotations.items()))
        parts.append(f"metadata={hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}")
    return " ".join(parts)


def _fitted(chunking: ChunkingConfig | None, encoder: Encoder) -> ChunkingConfig:
    if chunking is None:
        return ChunkingConfig.sized(min(ChunkingConfig.max_tokens, encoder.max_tokens))
    if chunking.max_tokens > encoder.max_tokens:
        name = encoder.fingerprint.name
        raise InvalidConfig(f"max_tokens is {chunking.max_tokens}; the model {name} reads at most {encoder.max_tokens}")
    return chunking
