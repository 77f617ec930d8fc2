"""Any sentence-transformers model as an encoder: ``st:NAME_OR_PATH``. Float32 on a CPU, the model's own type on a GPU.

What sentence-transformers would cut, beyond the model's ``max_seq_length``, is encoded in windows here. The prompts a
model is saved with are used; code that a model folder brings along is not run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.artifacts import checksum
from c2vsearch.encoder.cautious import CautiousTokenizer
from c2vsearch.encoder.instructions import query_prompt
from c2vsearch.encoder.protocol import Tokenizer
from c2vsearch.encoder.windows import encode_in_windows
from c2vsearch.errors import CorruptFile, InvalidConfig, InvalidQuery, ModelNotFound, OutOfDeviceMemory
from c2vsearch.model.quiet import quiet_transformers
from c2vsearch.model.tokens import reads_by_words
from c2vsearch.optional import hushed, require
from c2vsearch.records import Fingerprint

Rows = NDArray[np.float32]
PREFIX = "st:"
FEWEST_TOKENS = 16  # what an instruction has to leave for the query
NO_LIMIT = 1_000_000  # tokenizers without a limit say 1e30


class SentenceTransformersEncoder:
    """A model folder or a name on the Hugging Face hub; what is cached is opened without a network.

    Rows do not depend on batch or padding beyond float rounding (1e-6 in float32). The fingerprint has the hub's
    revision, or a hash over the files of a folder.
    """

    def __init__(self, name_or_path: str | Path, *, device: str = "auto", batch_size: int = 32) -> None:
        require("sentence_transformers", extra="st", purpose=f"the model {PREFIX}{name_or_path}")
        self._device = _device(device)
        self._batch_size = batch_size
        folder = Path(name_or_path).expanduser()
        # A folder is recorded by its full path: an index is opened from anywhere.
        self._name = str(folder.resolve()) if folder.is_dir() else str(name_or_path)
        self._model = _load(self._name, self._device)
        self._query_prompt, self._document_prompt = _prompts(self._model)
        self._limit, self.tokenizer = _limit(self._model), _tokenizer(self._model)
        prompts = (self._query_prompt, self._document_prompt)
        self.max_tokens = self._limit - max(len(self.tokenizer.token_spans(prompt)) for prompt in prompts)
        if self.max_tokens < 1:
            raise InvalidConfig(f"{PREFIX}{name_or_path} reads {self._limit} tokens, fewer than its prompts have")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What made these vectors."""
        return Fingerprint(
            name=PREFIX + self._name,
            revision=_revision(self._name),
            dim=self.encode_documents(["dimension"]).shape[1],
            pooling="sentence-transformers",
            document_prompt=self._document_prompt,
            precision=str(self._model.dtype).removeprefix("torch.").replace("float", "fp"),
        )

    def query_prompt(self, instruction: str | None) -> str:
        """What stands before a query; `c2vsearch.encoder.instructions` says what becomes of an instruction."""
        return query_prompt(self._query_prompt, instruction)

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> Rows:
        """Shape: (Q, D)."""
        prompt = self.query_prompt(instruction)
        room = self._limit - len(self.tokenizer.token_spans(prompt))
        if instruction is not None and room < min(FEWEST_TOKENS, self.max_tokens):
            raise InvalidQuery(
                f"the instruction leaves {max(room, 0)} of {self._limit} tokens for the query: say it in a sentence"
            )
        return self._encode(texts, prompt, self._model.encode_query, min(room, self.max_tokens))

    def encode_documents(self, texts: Sequence[str]) -> Rows:
        """Shape: (N, D)."""
        return self._encode(texts, self._document_prompt, self._model.encode_document, self.max_tokens)

    def _encode(self, texts: Sequence[str], prompt: str, encode: Any, max_tokens: int) -> Rows:
        if not texts:
            return np.empty((0, self.fingerprint.dim), dtype=np.float32)

        def rows(pieces: list[str]) -> Rows:
            import torch

            try:
                found = encode(
                    pieces, prompt=prompt, batch_size=self._batch_size, show_progress_bar=False,
                    normalize_embeddings=True, convert_to_numpy=False, convert_to_tensor=True,
                )  # fmt: skip
            except torch.cuda.OutOfMemoryError as error:
                raise OutOfDeviceMemory(
                    f"{self._device} cannot hold a batch of {self._batch_size} texts; use a smaller batch_size"
                ) from error
            made: Rows = found.float().cpu().numpy()
            if not np.isfinite(made).all():
                raise CorruptFile(f"{PREFIX}{self._name} gives numbers that are not finite; its weights are damaged")
            return made

        return encode_in_windows(texts, rows, tokenizer=self.tokenizer, max_tokens=max_tokens)


class _FastTokenizer:
    """The model's own tokenizer, freed of its truncation."""

    def __init__(self, backend: Any) -> None:
        from tokenizers import Tokenizer as FastTokenizer

        self._tokenizer = FastTokenizer.from_str(backend.to_str())  # a copy: the model keeps its settings
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @property
    def by_words(self) -> bool:
        """Whether a text cut at white space has the tokens of its parts."""
        return reads_by_words(self._tokenizer)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the tokens, special tokens left out."""
        return self._tokenizer.encode(text, add_special_tokens=False).offsets


def _device(device: str) -> str:
    import torch

    available = torch.cuda.is_available()
    if device.startswith("cuda") and not available:
        raise InvalidConfig(f"device is {device!r} and torch sees no CUDA device; run `c2vsearch doctor`")
    return ("cuda" if available else "cpu") if device == "auto" else device


def _load(name: str, device: str) -> Any:
    """The model of a folder, of the cache, or, when it is in neither, of the hub.

    Raises:
        ModelNotFound: It is in none of them, or the hub cannot be reached.
    """
    local = Path(name).is_dir()
    if local and not any((Path(name) / file).is_file() for file in ("modules.json", "config.json")):
        raise ModelNotFound(f"{name} has no modules.json; expected the folder of a sentence-transformers model")
    try:
        with quiet_transformers(), hushed("huggingface_hub"):
            return _open(name, device, cached=local or _cached_file(name) is not None)
    except Exception as error:  # the libraries below raise OSError, ValueError, KeyError, their own and others' errors
        reason = " ".join(str(error).split())[:200]
        if local:
            raise ModelNotFound(f"{name} cannot be opened by sentence-transformers: {reason}") from error
        raise ModelNotFound(
            f"no sentence-transformers model {name!r}: it is no folder, not in the cache, and could not be fetched "
            f"({reason}); name a folder, or fetch it once with a network"
        ) from error


def _open(name: str, device: str, *, cached: bool) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    if not cached:
        _reach_hub(name)
    kinds = {"dtype": torch.float32} if device == "cpu" else {}
    try:
        return SentenceTransformer(name, device=device, local_files_only=cached, model_kwargs=kinds)
    except OSError:
        if not cached or Path(name).is_dir():
            raise
        return SentenceTransformer(name, device=device, model_kwargs=kinds)  # the cache had a part of it


def _repository(name: str) -> str:
    return name if "/" in name else f"sentence-transformers/{name}"


def _reach_hub(name: str) -> None:
    """Fail at once where there is no network; file by file it would be tried again and again."""
    from huggingface_hub import model_info
    from huggingface_hub.errors import HfHubHTTPError

    with suppress(HfHubHTTPError):  # the hub answers: whatever it has to say, it says again below
        model_info(_repository(name), timeout=10)


def _cached_file(name: str) -> Path | None:
    """A file of the hub's cache that says how the model is put together; None when that is not known yet.

    Without ``modules.json`` a model would be opened with a pooling that may not be its own: only a cache that knows
    that there is no such file will do.
    """
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

    repository = _repository(name)
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    try:
        modules = try_to_load_from_cache(repository, "modules.json", cache_dir=cache)
        if modules is _CACHED_NO_EXIST:
            modules = try_to_load_from_cache(repository, "config.json", cache_dir=cache)
    except ValueError:  # not a name the hub could have
        return None
    return Path(modules) if isinstance(modules, str) else None


def _revision(name: str) -> str:
    """The hub's commit, or a hash over the files of a folder."""
    if not Path(name).is_dir():
        found = _cached_file(name)
        return found.parent.name[:16] if found is not None else "unknown"
    digest = hashlib.sha256()
    for path in sorted(Path(name).rglob("*")):
        inside = path.relative_to(name)
        if path.is_file() and path.suffix != ".md" and not any(part.startswith(".") for part in inside.parts):
            digest.update(f"{inside.as_posix()}:{checksum(path)}\n".encode())
    return digest.hexdigest()[:16]


def _prompts(model: Any) -> tuple[str, str]:
    """The prompts of queries and documents, as `encode_query` and `encode_document` would choose them."""
    prompts = {name: prompt or "" for name, prompt in model.prompts.items()}
    default = prompts.get(model.default_prompt_name or "", "")
    documents = (prompts[name] for name in ("document", "passage", "corpus") if name in prompts)
    return prompts.get("query", default), next(documents, default)


def _limit(model: Any) -> int:
    """Tokens of a prompt and a text together: ``max_seq_length`` without the special tokens."""
    tokenizer: Any = getattr(model, "tokenizer", None)
    limits = [model.max_seq_length, getattr(tokenizer, "model_max_length", None)]
    known = [int(limit) for limit in limits if limit is not None and 0 < limit < NO_LIMIT]
    special = tokenizer.num_special_tokens_to_add() if hasattr(tokenizer, "num_special_tokens_to_add") else 2
    # Models that add up token vectors have no limit, and any window would do.
    return (min(known) if known else 8192) - special


def _tokenizer(model: Any) -> Tokenizer:
    tokenizer = getattr(model, "tokenizer", None)
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    return _FastTokenizer(backend) if hasattr(backend, "to_str") else CautiousTokenizer()
