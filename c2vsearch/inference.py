"""What an index is asked with: its model, a reranker, and what is known of both. Loaded when they are first needed."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from c2vsearch.collection import Collection
from c2vsearch.collection.manifest import describe_fingerprint
from c2vsearch.config import Rerank, SearchConfig
from c2vsearch.encoder import Encoder, Profiled, TokenCoder, TokenEncoder, load_encoder
from c2vsearch.encoder.symmetric import for_task, made_for
from c2vsearch.errors import (
    C2VSearchError,
    CorruptFile,
    EncoderMismatch,
    InvalidConfig,
    MissingDependency,
    ModelNotFound,
    NotReranked,
    OutOfDeviceMemory,
)
from c2vsearch.records import Mode
from c2vsearch.rerankers import load_reranker
from c2vsearch.search.highlight import Highlighter, best_sentences
from c2vsearch.search.pipeline import PLAIN
from c2vsearch.search.rerank import CodedInteraction, LateInteraction, Reranker
from c2vsearch.search.token_match import CodedMatch, TokenMatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from c2vsearch.model.profile import SearchProfile

Found = TypeVar("Found")
LATE_INTERACTION = "late"
# Without a reranker there are hits all the same, where that will do.
NO_RERANKER = (CorruptFile, InvalidConfig, MissingDependency, ModelNotFound, OutOfDeviceMemory)


class Inference:
    """The model and the reranker of one version of an index. Threads may share it.

    Args:
        collection: The version.
        encoder: The model that made it, or where that lies; found by the name in the index when it is None.
        reranker: What `load_reranker` takes, or an object; "late" for the token states of the model itself.
    """

    def __init__(
        self, collection: Collection, encoder: Encoder | str | Path | None, reranker: Reranker | str | Path
    ) -> None:
        self._collection = collection
        self._given = encoder
        self._given_reranker = reranker
        self._no_reranker: C2VSearchError | None = None
        self._loading = threading.Lock()

    @cached_property
    def encoder(self) -> Encoder:
        """The model of the index, loaded when it is first needed: a keyword search never does.

        Raises:
            EncoderMismatch: The model of that name is not the one that made the index.
        """
        with self._loading:  # of threads that need it at once, one loads it
            if "encoder" not in self.__dict__:
                given = self._given if self._given is not None else self._collection.manifest.fingerprint.name
                opened = given if isinstance(given, Encoder) else self._load(given)
                self._check(opened)
                self.__dict__["encoder"] = opened
            encoder: Encoder = self.__dict__["encoder"]
            return encoder

    def _load(self, name: str | Path) -> Encoder:
        """The model of a name or path, with embeddings as long as those of the index."""
        made = self._collection.manifest.fingerprint
        try:
            return load_encoder(name, dim=made.dim)
        except ModelNotFound as error:
            raise ModelNotFound(f"{error}; the index was built with it: say where it is with --model PATH") from error
        except InvalidConfig as error:
            raise EncoderMismatch(
                f"{self._collection.root} was built with {describe_fingerprint(made)}; the model at hand is another "
                f"({error}): build the index again with --rebuild, or give the model that made it with --model"
            ) from error

    def queries(self, texts: Sequence[str], instruction: str | None) -> NDArray[np.float32]:
        """Queries under what is asked for, else under the task of the index. Shape: (Q, D)."""
        task = self._collection.manifest.task
        told = task.instruction if instruction is None and task is not None else instruction
        return self.encoder.encode_queries(texts, instruction=told)

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts as the documents of the index are encoded. Shape: (N, D)."""
        return for_task(self.encoder, self._collection.manifest.task).encode_documents(texts)

    def _check(self, encoder: Encoder) -> None:
        made = self._collection.manifest.fingerprint
        if made_for(encoder, self._collection.manifest.task) != made:
            raise EncoderMismatch(
                f"{self._collection.root} was built with {describe_fingerprint(made)}; the model at hand is "
                f"{describe_fingerprint(encoder.fingerprint)}: build the index again with --rebuild, or give the model "
                "that made it with --model"
            )

    def looked_at(self, config: SearchConfig, found: Callable[[Reranker | None], Found]) -> Found:
        """What is found with the reranker that is asked for; with "auto" without, where it cannot be had or fails."""
        reranker = self._stored_look(config) if config.rerank == "stored" else self._second_look(config.rerank)
        try:
            return found(reranker)
        except (CorruptFile, OutOfDeviceMemory) as error:
            if reranker is None or config.rerank != "auto":
                raise
            _say_not_reranked(error)
            return found(None)

    def _stored_look(self, config: SearchConfig) -> Reranker | None:
        """Late interaction with codes that the index has; it costs next to nothing, so it is done where it can be."""
        return self._coded if config.mode == "hybrid" else None

    def _second_look(self, rerank: Rerank) -> Reranker | None:
        """The reranker, where one is asked for and, with "auto", can be had."""
        if not rerank:
            return None
        try:
            return self._reranker
        except NO_RERANKER as error:
            if rerank != "auto":
                raise
            _say_not_reranked(error)
            return None

    def profile(self, mode: Mode) -> SearchProfile:
        """What the model is known to need; a search for keywords asks no model."""
        return self.encoder.profile if mode != "bm25" and isinstance(self.encoder, Profiled) else PLAIN

    def highlighter(self, config: SearchConfig) -> Highlighter:
        """What finds the best sentence of a hit.

        Raises:
            InvalidConfig: By token states, which the model does not give.
        """
        if config.highlight == "words" or (config.highlight in ("auto", "stored") and config.mode == "bm25"):
            return best_sentences
        if config.highlight == "stored":
            coder = self.encoder if isinstance(self.encoder, TokenCoder) else None
            return CodedMatch(coder, self._coded) if coder is not None and self._coded is not None else best_sentences
        if isinstance(self.encoder, TokenEncoder):
            return TokenMatch(self.encoder, self.encoder.tokenizer)
        if config.highlight == "auto":
            return best_sentences
        raise InvalidConfig(
            f"the model {self.encoder.fingerprint.name} gives no token states to highlight by; highlight by words"
        )

    @cached_property
    def _coded(self) -> CodedInteraction | None:
        """Late interaction by token codes, where the model has a codec."""
        coder = self.encoder if isinstance(self.encoder, TokenCoder) else None
        return CodedInteraction(coder) if coder is not None and coder.token_codec is not None else None

    @cached_property
    def _reranker(self) -> Reranker:
        """Loaded when it is first needed; what could not be is not tried again with every query."""
        if self._no_reranker is not None:
            raise self._no_reranker
        given = self._given_reranker
        try:
            if given == LATE_INTERACTION:
                return self._late_interaction()
            with self._loading:
                if "_reranker" not in self.__dict__:
                    self.__dict__["_reranker"] = load_reranker(given) if isinstance(given, str | Path) else given
                found: Reranker = self.__dict__["_reranker"]
                return found
        except NO_RERANKER as error:
            self._no_reranker = error
            raise

    def _late_interaction(self) -> Reranker:
        if self._coded is not None:
            return self._coded
        if not isinstance(self.encoder, TokenEncoder):
            raise InvalidConfig(
                f"the model {self.encoder.fingerprint.name} gives no token states to rerank with; search without "
                "rerank, or name a reranker"
            )
        return LateInteraction(self.encoder, tokenizer=self.encoder.tokenizer)

    def close(self) -> None:
        """Let go of the models."""
        self.__dict__.pop("encoder", None)
        self.__dict__.pop("_reranker", None)
        self.__dict__.pop("_coded", None)


def _say_not_reranked(error: C2VSearchError) -> None:
    warnings.warn(f"not reranked: {error}", NotReranked, stacklevel=3)
