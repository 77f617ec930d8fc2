"""Settings of each stage: small frozen value objects, validated when made. CLI defaults are read from here.

Each is stored whole, as JSON, beside what it produced, so that a change of settings is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Mode

DEFAULT_MODEL = "c2v-mini"
DEFAULT_TASK = "Given a question, retrieve passages that answer it"

Fusion = Literal["weighted", "rrf", "minmax", "zscore"]
FUSIONS = ("weighted", "rrf", "minmax", "zscore")
GroupBy = Literal["", "file"]
Highlight = Literal["words", "states", "auto", "stored"]
Rerank = bool | Literal["auto", "stored"]
HITS_OF_A_FILE = 3  # where hits are grouped and nothing else is said

Precision = Literal["auto", "int8", "fp32", "bf16"]
PRECISIONS = ("auto", "int8", "fp32", "bf16")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidConfig(message)


@dataclass(frozen=True, kw_only=True)
class WalkConfig:
    """Which files are read.

    >>> WalkConfig(max_file_bytes=0)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: max_file_bytes is 0; expected at least 1
    """

    hidden: bool = False
    ignore_files: bool = True
    follow_symlinks: bool = False
    max_file_bytes: int = 20_000_000
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _expect(self.max_file_bytes >= 1, f"max_file_bytes is {self.max_file_bytes}; expected at least 1")


@dataclass(frozen=True, kw_only=True)
class ReadingConfig:
    """How files become documents.

    ``text_field``, ``id_field`` and ``metadata_fields`` name the parts of a record in JSON, JSONL, CSV and tables;
    where ``text_field`` is empty the reader looks for the usual names. ``max_members``, ``max_unpacked_bytes`` and
    ``max_depth`` bound what one file may unpack to.

    ``workers`` processes read what is risky to read. In each a file, or a thing inside one, may take
    ``timeout_seconds`` (large ones more) and all together ``max_memory_bytes``.

    >>> ReadingConfig(max_depth=-1)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: max_depth is -1; expected at least 0
    """

    text_field: str = ""
    id_field: str = ""
    metadata_fields: tuple[str, ...] = ()
    max_members: int = 100_000
    max_unpacked_bytes: int = 1_000_000_000
    max_depth: int = 3
    workers: int = 1
    timeout_seconds: float = 60.0
    max_memory_bytes: int = 2_000_000_000

    def __post_init__(self) -> None:
        _expect(self.timeout_seconds > 0, f"timeout_seconds is {self.timeout_seconds}; expected more than 0")
        for name in ("max_members", "max_unpacked_bytes", "max_depth", "workers", "max_memory_bytes"):
            least = 0 if name == "max_depth" else 1
            value = getattr(self, name)
            _expect(value >= least, f"{name} is {value}; expected at least {least}")


# Of these depends whether a file can be read, not what is read in it.
READING_LIMITS = frozenset({"workers", "timeout_seconds", "max_memory_bytes"})


@dataclass(frozen=True, kw_only=True)
class ChunkingConfig:
    """How documents are cut. Sizes are tokens of the encoder's own tokenizer.

    >>> ChunkingConfig(max_tokens=64, overlap_tokens=64)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: overlap_tokens is 64; expected from 0 to less than half of max_tokens (64)
    """

    max_tokens: int = 256
    overlap_tokens: int = 32
    context_tokens: int = 48

    def __post_init__(self) -> None:
        _expect(self.max_tokens >= 16, f"max_tokens is {self.max_tokens}; expected at least 16")
        _expect(
            0 <= self.overlap_tokens < self.max_tokens / 2,
            f"overlap_tokens is {self.overlap_tokens}; expected from 0 to less than half of max_tokens "
            f"({self.max_tokens})",
        )
        _expect(
            0 <= self.context_tokens < self.max_tokens / 2,
            f"context_tokens is {self.context_tokens}; expected from 0 to less than half of max_tokens "
            f"({self.max_tokens})",
        )

    @classmethod
    def sized(cls, max_tokens: int, *, overlap_tokens: int | None = None) -> ChunkingConfig:
        """Chunks of a size, with as much overlap and context as it has room for.

        >>> ChunkingConfig.sized(256) == ChunkingConfig(), ChunkingConfig.sized(64).overlap_tokens
        (True, 16)
        """
        overlap = min(cls.overlap_tokens, max_tokens // 4) if overlap_tokens is None else overlap_tokens
        context = min(cls.context_tokens, max_tokens // 3)
        return cls(max_tokens=max_tokens, overlap_tokens=overlap, context_tokens=context)


@dataclass(frozen=True, kw_only=True)
class EncodingConfig:
    """How texts are turned into vectors.

    ``threads`` 0 means all the cores this process may use, ``dim`` None the whole width of the model's embeddings.
    ``device`` ("auto", "cpu", "cuda", "cuda:1") and ``precision`` ("auto", "int8", "fp32", "bf16") choose the runtime.

    >>> EncodingConfig(dim=0)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: dim is 0; expected at least 1
    """

    threads: int = 0
    batch_size: int = 64
    dim: int | None = None
    device: str = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _expect(self.threads >= 0, f"threads is {self.threads}; expected 0 (all cores) or more")
        _expect(self.batch_size >= 1, f"batch_size is {self.batch_size}; expected at least 1")
        _expect(self.dim is None or self.dim >= 1, f"dim is {self.dim}; expected at least 1")
        _expect(
            self.precision in PRECISIONS, f"precision is {self.precision!r}; expected one of {', '.join(PRECISIONS)}"
        )


@dataclass(frozen=True, kw_only=True)
class IndexingConfig:
    """How embeddings are stored. A shard is the unit of commit: Ctrl-C loses at most one of them.

    ``device`` is where an approximate index is built: "cpu", "auto" (a GPU where FAISS has one that works), "cuda",
    "cuda:1".
    """

    rows_per_shard: int = 2048
    merge_below_rows: int = 50_000
    device: str = "auto"

    def __post_init__(self) -> None:
        _expect(self.rows_per_shard >= 1, f"rows_per_shard is {self.rows_per_shard}; expected at least 1")
        _expect(self.merge_below_rows >= 0, f"merge_below_rows is {self.merge_below_rows}; expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class IndexSpec:
    """How vectors are searched: exactly while that is fast, else by the smallest kind of index that meets this.

    ``target_recall`` is the share of the true ten nearest rows that has to be found. ``max_memory_bytes`` bounds what
    is loaded to search, ``max_latency_ms`` a search of one query on one thread (10 ms where nothing is said).
    ``factory`` is a FAISS factory string, for who knows what they want: "Flat", "HNSW32,SQ8", "IVF4096,PQ96x4fs",
    "BFlat".

    ``token_codes`` says whether codes of token states, which late interaction reads, are stored beside the vectors,
    where the model makes some.

    >>> IndexSpec(target_recall=1.2)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: target_recall is 1.2; expected more than 0, and at most 1 (which is exact search)
    """

    target_recall: float = 0.98
    max_memory_bytes: int | None = None
    max_latency_ms: float | None = None
    factory: str = ""
    token_codes: bool = True

    @property
    def searching(self) -> IndexSpec:
        """The part of it that an index of vectors depends on; the rest is as usual."""
        return replace(self, token_codes=IndexSpec.token_codes)

    def __post_init__(self) -> None:
        _expect(
            0.0 < self.target_recall <= 1.0,
            f"target_recall is {self.target_recall}; expected more than 0, and at most 1 (which is exact search)",
        )
        _expect(type(self.token_codes) is bool, f"token_codes is {self.token_codes!r}; expected True or False")
        for name in ("max_memory_bytes", "max_latency_ms"):
            value = getattr(self, name)
            _expect(value is None or value > 0, f"{name} is {value}; expected more than 0")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How a query is answered: ``k`` final hits out of ``candidates`` from each leg.

    ``lexical_weight`` is what a full keyword score is worth beside the cosine (`c2vsearch.search.fusion`), chosen over
    evaluation sets together (docs/benchmarks.md). Without ``operators`` quotes and dashes of a query are plain text.

    With ``rerank`` the first ``rerank_candidates`` are looked at again (None: 50 by token codes, 20 by other
    rerankers), or as many of them as fit ``rerank_budget_ms``; "auto" goes on without, and warns, where that cannot be
    done. "stored" leaves any other reranker alone: it is late interaction in hybrid search, where the index has the
    token codes of all of them, which takes some milliseconds. ``rerank_weight`` is the share of the second look in a
    reranked score; None leaves it to the reranker.

    ``fusion`` makes one list of two: "weighted" (the default), or "rrf", "minmax" or "zscore", for comparison.
    Hits below ``min_score``, a relevance from 0 to 1, are left out.

    ``diversity``, from 0 to 1, is how much hits have to differ from those before them; ``per_source`` bounds the hits
    of one file; with ``group_by`` "file" the hits of a file stand together and ``k`` counts files. With ``collapse`` a
    text that stands in several places is one hit, which knows the others.

    ``highlight`` is how the best sentence of a hit is found: by the "words" it shares with the query; by the token
    "states" of the model, which finds paraphrases at the price of a forward pass a hit; by the states that are "stored"
    in few bytes, nearly as well and in a tenth of the time, where the index has those of all hits, and else by words;
    "auto" is states where the model gives them. A search for keywords does with words unless states are asked for.

    >>> SearchConfig(k=0)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: k is 0; expected at least 1
    """

    k: int = 10
    candidates: int = 100
    mode: Mode = "hybrid"
    rerank: Rerank = "stored"
    rerank_candidates: int | None = None
    rerank_budget_ms: float | None = None
    lexical_weight: float = 0.17
    rerank_weight: float | None = None
    operators: bool = True
    fusion: Fusion = "weighted"
    min_score: float = 0.0
    collapse: bool = True
    diversity: float = 0.0
    group_by: GroupBy = ""
    per_source: int | None = None
    highlight: Highlight = "words"

    @property
    def has_usual_scores(self) -> bool:
        """Whether scores of hybrid search are those that their relevance was measured with."""
        return self.fusion == "weighted" and self.lexical_weight == SearchConfig.lexical_weight

    def __post_init__(self) -> None:
        _expect(self.k >= 1, f"k is {self.k}; expected at least 1")
        _expect(self.candidates >= 1, f"candidates is {self.candidates}; expected at least 1")
        _expect(self.mode in ("hybrid", "dense", "bm25"), f"mode is {self.mode!r}; expected hybrid, dense or bm25")
        _expect(
            self.rerank in (True, False, "auto", "stored"),
            f"rerank is {self.rerank!r}; expected True, False, 'auto' or 'stored'",
        )
        for name in ("rerank_candidates", "per_source"):
            value = getattr(self, name)
            _expect(value is None or value >= 1, f"{name} is {value}; expected at least 1")
        budget = self.rerank_budget_ms
        _expect(
            budget is None or budget > 0, f"rerank_budget_ms is {budget}; expected more than 0, or None for no limit"
        )
        _expect(self.group_by in ("", "file"), f"group_by is {self.group_by!r}; expected 'file', or '' for none")
        _expect(self.fusion in FUSIONS, f"fusion is {self.fusion!r}; expected one of {', '.join(FUSIONS)}")
        _expect(
            self.highlight in ("words", "states", "auto", "stored"),
            f"highlight is {self.highlight!r}; expected words, states, auto or stored",
        )
        for name in ("lexical_weight", "rerank_weight", "diversity", "min_score"):
            value = getattr(self, name)
            _expect(value is None or 0.0 <= value <= 1.0, f"{name} is {value}; expected from 0 to 1")
