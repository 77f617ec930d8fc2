"""What a run is to do, settled before anything is written: the files, the model, how they are read and cut."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from c2vsearch.collection import Manifest, SourceState
from c2vsearch.collection.layout import open_manifest
from c2vsearch.collection.mismatch import refuse_mismatch
from c2vsearch.collection.roots import Root, free_label, joined
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, IndexSpec, ReadingConfig, WalkConfig
from c2vsearch.encoder import Encoder, load_encoder
from c2vsearch.encoder.protocol import TokenCoder, codec_identity
from c2vsearch.encoder.symmetric import for_task
from c2vsearch.errors import IndexNotFound, InvalidConfig, SourceNotFound
from c2vsearch.index.candidates import cagra_degree, empty_index
from c2vsearch.index.gpu import usable_gpus
from c2vsearch.indexing.accounting import worth_another_try
from c2vsearch.indexing.part import Part, part_of
from c2vsearch.indexing.reading import Cutter
from c2vsearch.ingest.workers import Workers
from c2vsearch.task import Task, named_task

Roots = Path | str | Sequence[Path | str]
# Whole settings, or those of them that are to be changed by name.
Walking = WalkConfig | Mapping[str, Any]
Reading = ReadingConfig | Mapping[str, Any]
Spec = IndexSpec | Mapping[str, Any]
Config = TypeVar("Config", WalkConfig, ReadingConfig, IndexSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The parts of a run, and what all of them share."""

    index: Path
    parts: tuple[Part, ...]
    encoder: Encoder
    chunking: ChunkingConfig
    spec: IndexSpec
    batch_size: int
    task: Task | None = None

    @property
    def roots(self) -> tuple[Root, ...]:
        """What is indexed."""
        return tuple(part.root for part in self.parts)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where it lies."""
        return tuple(Path(root.path) for root in self.roots)

    @property
    def entries(self) -> int:
        """How many files the walk found."""
        return sum(len(part.files) + len(part.refused) for part in self.parts)

    @property
    def token_codec(self) -> str:
        """The identity of what makes the codes that are stored; "" where none are wanted, or the model makes none."""
        return codec_identity(self.encoder) if self.spec.token_codes else ""

    @property
    def code_bytes(self) -> int:
        """Bytes that are stored of the state of a token."""
        codec = self.encoder.token_codec if isinstance(self.encoder, TokenCoder) else None
        return codec.parts if codec is not None and self.spec.token_codes else 0

    def cutter(self, part: Part, known: Mapping[str, SourceState], *, workers: Workers) -> Cutter:
        """Reads and cuts the files of a part; one whose bytes are those of ``known`` is not cut."""

        def unchanged(source: str, content_hash: str) -> bool:
            state = known.get(source)
            if state is None or state.status != "indexed" or state.content_hash != content_hash:
                return False
            return not worth_another_try(state, part.root.reading)

        return Cutter(
            tokenizer=self.encoder.tokenizer, chunking=self.chunking, workers=workers,
            annotations=part.annotations, unchanged=unchanged,
        )  # fmt: skip


def prepare(  # noqa: PLR0913  (the same choices as the run)
    roots: Roots, *, index: Path | str | None, encoder: Encoder | str | Path | None, encoding: EncodingConfig | None,
    walking: Walking | None, reading: Reading | None, chunking: ChunkingConfig | None, metadata: Path | str | None,
    spec: Spec | None, task: Task | str | None, add: bool, rebuild: bool,
) -> Job:  # fmt: skip
    """The job, with a missing root or a bad table told before a model is loaded.

    Raises:
        SourceNotFound: There is nothing at a root.
        EncoderMismatch: The index was built with another model, or its documents for another task.
        InvalidConfig: Settings that do not go together, a root the index is not of, or a bad table of metadata.
        InvalidQuery: An instruction that leaves no room for a query.
        ModelNotFound: There is no such model.
    """
    paths = [_absolute(root) for root in ([roots] if isinstance(roots, str | Path) else roots)]
    place = _place(paths, index)
    base = None if rebuild else last_version(place)
    purpose = settled_task(base, task)
    given = _chosen(place, base, paths, add=add)
    wanted = [_settled(root, walking, reading, metadata) for root in given]
    parts = [part_of(root, required=root.path in paths) for root in wanted]
    encoding = encoding or EncodingConfig()
    model = for_task(encoder if isinstance(encoder, Encoder) else model_of(base, encoder, encoding), purpose)
    if encoding.dim not in (None, model.fingerprint.dim):
        raise InvalidConfig(
            f"dim is {encoding.dim}; the encoder given makes {model.fingerprint.dim}: expected one that was made so"
        )
    if base is not None:
        refuse_mismatch(place, base, model.fingerprint)
    if purpose is not None and (base is None or base.task != purpose):
        model.encode_queries(["query"], instruction=purpose.instruction)  # what cannot be said is told now
    searched = _settled_spec(base, spec, dim=model.fingerprint.dim, device=encoding.device)
    sizes = fitted(chunking or (base.chunking if base else None), model)
    if base is not None and sizes != base.chunking:  # what is cut in another way is so everywhere
        there = {root.path for root in wanted}
        parts += [part_of(root, required=False) for root in base.roots if root.path not in there]
    return Job(
        index=place, parts=tuple(parts), encoder=model, chunking=sizes, spec=searched, batch_size=encoding.batch_size,
        task=purpose,
    )  # fmt: skip


def _absolute(root: Path | str) -> str:
    """The path without links and dots."""
    path = Path(root)
    if not path.exists():
        raise SourceNotFound(f"no file or directory at {root}; expected the documents to index")
    return str(path.resolve())


def _place(paths: Sequence[str], index: Path | str | None) -> Path:
    if index is not None:
        return Path(index)
    if len(paths) != 1:
        raise InvalidConfig(f"{len(paths)} directories and no index; expected the place of one index for all of them")
    return default_index(Path(paths[0]))


def last_version(place: Path) -> Manifest | None:
    """The newest version of an index; None where there is no index."""
    try:
        return open_manifest(place)
    except IndexNotFound:
        return None


def _chosen(place: Path, base: Manifest | None, paths: Sequence[str], *, add: bool) -> list[Root]:
    """The roots of those paths as the index has them, and new ones; all that it has when none is given."""
    known = {root.path: root for root in (base.roots if base else ())}
    if not paths:
        if base is None:
            raise IndexNotFound(f"no index at {place}; build one with: c2vsearch index DIR")
        return list(known.values())
    new = [path for path in dict.fromkeys(paths) if path not in known]
    if new and known and not add:
        raise InvalidConfig(
            f"{place} is the index of {', '.join(known)}; expected {new[0]} to be one of them: index it there as well "
            "with --add, or give another place with --index"
        )
    chosen = [known[path] for path in dict.fromkeys(paths) if path in known]
    labels = [root.label for root in known.values()]
    for path in new:
        alone = not known and len(new) == 1
        label = "" if alone else free_label(path, labels)
        labels.append(label)
        chosen.append(Root(path=path, label=label, single_file=os.path.isfile(path)))
    joined(tuple(known.values()), chosen)
    return chosen


def _settled(root: Root, walking: Walking | None, reading: Reading | None, metadata: Path | str | None) -> Root:
    """A root with the settings of this run."""
    table = root.metadata if metadata is None else str(Path(metadata).resolve()) if str(metadata) else ""
    return dataclasses.replace(
        root, walking=_amended(root.walking, walking), reading=_amended(root.reading, reading), metadata=table
    )


def _settled_spec(base: Manifest | None, spec: Spec | None, *, dim: int, device: str) -> IndexSpec:
    """How vectors are searched from now on. A kind that cannot be is refused before anything is embedded."""
    wanted = _amended(base.index if base else IndexSpec(), spec)
    if wanted.factory:
        empty_index(wanted.factory, dim)
    if cagra_degree(wanted.factory) and not usable_gpus(device):
        raise InvalidConfig(
            f"the index is to be of kind {wanted.factory}, which a GPU builds; expected one, or --factory ''"
        )
    return wanted


def settled_task(base: Manifest | None, wanted: Task | str | None) -> Task | None:
    """The task that was asked for, else that of the index; "" forgets it.

    Raises:
        InvalidConfig: There is no task of that name.
    """
    if wanted is None:
        return base.task if base else None
    return (named_task(wanted) if wanted else None) if isinstance(wanted, str) else wanted


def _amended(recorded: Config, wanted: Config | Mapping[str, Any] | None) -> Config:
    if wanted is None:
        return recorded
    if not isinstance(wanted, Mapping):
        return wanted
    names = [field.name for field in dataclasses.fields(recorded)]
    for name in wanted:
        if name not in names:
            raise InvalidConfig(f"there is no setting {name!r}; expected one of {', '.join(names)}")
    return dataclasses.replace(recorded, **wanted)


def model_of(base: Manifest | None, name: str | Path | None, encoding: EncodingConfig) -> Encoder:
    """The model that was asked for, else that of the index, with embeddings as long as it has them."""
    made = base.fingerprint if base else None
    chosen = name if name is not None else made.name if made else DEFAULT_MODEL
    if made is not None and encoding.dim is None and str(chosen) == made.name:
        encoding = dataclasses.replace(encoding, dim=made.dim)
    return load_model(chosen, encoding)


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


def fitted(chunking: ChunkingConfig | None, encoder: Encoder) -> ChunkingConfig:
    """The sizes that were asked for, else the usual ones, or what the model reads if that is less.

    Raises:
        InvalidConfig: The model does not read as many tokens.
    """
    if chunking is None:
        return ChunkingConfig.sized(min(ChunkingConfig.max_tokens, encoder.max_tokens))
    if chunking.max_tokens > encoder.max_tokens:
        name = encoder.fingerprint.name
        raise InvalidConfig(f"max_tokens is {chunking.max_tokens}; the model {name} reads at most {encoder.max_tokens}")
    return chunking
