"""What `index` would make of files, without an index: to look at chunks, or to take them elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, ReadingConfig
from c2vsearch.encoder import Encoder
from c2vsearch.indexing.job import fitted, load_model
from c2vsearch.indexing.reading import CutFile, Cutter
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import SourceFile


def cut_files(
    files: Iterable[SourceFile], *, encoder: Encoder | str | Path = DEFAULT_MODEL,
    chunking: ChunkingConfig | None = None, reading: ReadingConfig | None = None,
) -> Iterator[CutFile]:  # fmt: skip
    r"""Files read and cut one after the other, each as an index would have it.

    Args:
        files: Such as those of a `walk`.
        encoder: The model whose tokens are counted, or its name.
        chunking: Sizes; by default 256 tokens, or as many as the model reads.
        reading: How files are read.

    Yields:
        A `CutFile` with its documents and chunks, or the report that says why there are none.

    Raises:
        ModelNotFound: There is no such model.
        InvalidConfig: The model does not read as many tokens.

    >>> import tempfile, pathlib
    >>> from c2vsearch.config import WalkConfig
    >>> from c2vsearch.ingest import walk
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = pathlib.Path(place, "ferry.md").write_text("# Ferries\n\nThey leave at nine.")
    ...     [[chunk.text for chunk in cut.chunks]
    ...      for cut in cut_files(walk(pathlib.Path(place), config=WalkConfig()), encoder="hash")]
    [['# Ferries\n\nThey leave at nine.']]
    """
    model = encoder if isinstance(encoder, Encoder) else load_model(encoder, EncodingConfig())
    sizes = fitted(chunking, model)
    with Workers(reading or ReadingConfig()) as workers:
        cutter = Cutter(
            tokenizer=model.tokenizer, chunking=sizes, workers=workers, annotations={}, unchanged=lambda *_: False
        )
        for file, items in workers.read(files):
            yield cutter.cut(file, items)
