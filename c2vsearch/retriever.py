"""The front door of the library: open an index, search it, get cited context for a prompt."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from c2vsearch.collection import Collection, RowScore
from c2vsearch.collection.roots import root_of
from c2vsearch.config import GroupBy, Rerank, SearchConfig
from c2vsearch.encoder import Encoder
from c2vsearch.errors import InvalidConfig, InvalidQuery
from c2vsearch.inference import LATE_INTERACTION, Inference
from c2vsearch.rag.assembly import assemble
from c2vsearch.rag.context import Context
from c2vsearch.rag.piece import pieces
from c2vsearch.rag.support import THRESHOLD, Verification, verify
from c2vsearch.rag.surroundings import Surrounding, neighbourhoods, sections
from c2vsearch.records import Hit, Mode
from c2vsearch.search.example import Example, direction, find_example, leaving_out, telling_words
from c2vsearch.search.pipeline import PLAIN, STREAMED, iter_search, nearest, search, search_any
from c2vsearch.search.query import Query, parse_query, plain_query
from c2vsearch.search.rerank import Reranker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from c2vsearch.collection.compaction import Live
    from c2vsearch.filters import Selection, Selector, Where
    from c2vsearch.model.profile import SearchProfile


class Retriever:
    r"""Search over one version of an index.

    >>> import tempfile
    >>> from c2vsearch import index_directory
    >>> place = tempfile.TemporaryDirectory()
    >>> _ = Path(place.name, "a.md").write_text("# Ferries\n\nThe ferry leaves at nine.")
    >>> _ = index_directory(place.name, index=Path(place.name, "index"), encoder="hash")
    >>> with Retriever.open(Path(place.name, "index")) as retriever:
    ...     [hit] = retriever.search("when does the ferry leave", k=1)
    >>> hit.source, hit.start_line, hit.end_line
    ('a.md', 1, 3)
    >>> place.cleanup()
    """

    def __init__(
        self, collection: Collection, encoder: Encoder | str | Path | None = None,
        reranker: Reranker | str | Path | None = None,
    ) -> None:  # fmt: skip
        self.collection = collection
        self._inference = Inference(collection, encoder, LATE_INTERACTION if reranker is None else reranker)

    @classmethod
    def open(
        cls, path: Path | str, *, encoder: Encoder | str | Path | None = None, version: int | None = None,
        reranker: Reranker | str | Path | None = None,
        device: str = "auto",
    ) -> Retriever:  # fmt: skip
        """Open an index directory.

        Args:
            path: The index.
            encoder: The model that made it, when it lies somewhere else now; found by the name in the index otherwise.
            version: An older version; the newest by default.
            reranker: What looks at candidates again, loaded when it is first needed: a name or path as
                `c2vsearch.rerankers.load_reranker` takes it, or an object; the token states of the index's model
                ("late") by default.
            device: Where vectors are searched, as in `Collection.open`.

        Raises:
            InvalidConfig: There is no such device, or it does not work.
            IndexNotFound: There is no index there, or no such version.
            EncoderMismatch: The encoder given is not the one that made the index.
            CorruptFile: The index is damaged.
        """
        retriever = cls(Collection.open(path, version=version, device=device), encoder, reranker)
        if encoder is not None:
            _ = retriever.encoder  # refuses another one than that of the index
        return retriever

    def search(  # noqa: PLR0913  (a public door: every argument is a named choice)
        self,
        text: str,
        *,
        k: int = SearchConfig.k,
        mode: Mode = SearchConfig.mode,
        rerank: Rerank = SearchConfig.rerank,
        instruction: str | None = None,
        candidates: int = SearchConfig.candidates,
        where: Where | None = None,
        group_by: GroupBy = SearchConfig.group_by,
        per_source: int | None = None,
        diversity: float = SearchConfig.diversity,
        min_score: float = SearchConfig.min_score,
    ) -> list[Hit]:
        """The k best chunks for a query, best first; a text that stands in several places is one hit.

        Args:
            text: The query: words, "phrases" that hits of the keywords must have, and -exclusions that none may have.
            k: Hits to return, at most.
            mode: "hybrid", "dense" or "bm25".
            rerank: Look at the best candidates again, with the reranker this was opened with; "auto" goes on without,
                and warns (`NotReranked`), where that cannot be had. Hits that were looked at have a stage "rerank".
            instruction: What the search is for; the task of the index by default, else the model's.
            candidates: Chunks each leg contributes.
            where: Which chunks may be given: a dict such as ``{"team": "ops", "year": {">=": 2024}}``, the same as
                text, a `c2vsearch.filters.Filter`, or a ``pyarrow.compute.Expression`` over the columns of the shards.
            group_by: "file" for hits of a file together, in the order of their best ones; ``k`` counts files then.
            per_source: Hits of one file, at most; by default any number, and 3 where they are grouped.
            diversity: From 0 to 1: how much hits have to differ from those before them (maximal marginal relevance).
            min_score: The least relevance of a hit, from 0 to 1: with it, "nothing" can be the answer.

        Raises:
            InvalidQuery: The query is empty, or the filter speaks of what is not there.
            InvalidConfig: A number or mode that cannot be.
            ModelNotFound: There is no such reranker.
            OutOfDeviceMemory: The reranker does not fit on the device.
        """
        config = SearchConfig(
            k=k, mode=mode, rerank=rerank, candidates=candidates, group_by=group_by, per_source=per_source,
            diversity=diversity, min_score=min_score,
        )  # fmt: skip
        return self.search_with(text, config, instruction=instruction, where=where)

    def search_batch(
        self,
        texts: Sequence[str],
        *,
        k: int = SearchConfig.k,
        mode: Mode = SearchConfig.mode,
        rerank: Rerank = SearchConfig.rerank,
        instruction: str | None = None,
        candidates: int = SearchConfig.candidates,
        where: Where | None = None,
    ) -> list[list[Hit]]:
        """One list of hits a query, in their order; the queries are encoded together."""
        config = SearchConfig(k=k, mode=mode, rerank=rerank, candidates=candidates)
        return self.search_batch_with(texts, config, instruction=instruction, where=where)

    def search_with(
        self, text: str, config: SearchConfig, *, instruction: str | None = None, where: Where | None = None
    ) -> list[Hit]:
        """`search` with all settings in one object."""
        return self.search_batch_with([text], config, instruction=instruction, where=where)[0]

    def search_batch_with(
        self, texts: Sequence[str], config: SearchConfig, *, instruction: str | None = None, highlight: bool = True,
        where: Where | None = None,
    ) -> list[list[Hit]]:  # fmt: skip
        """`search_batch` with all settings in one object; quicker without ``highlight`` when only ranks matter."""
        queries = [(parse_query if config.operators else plain_query)(text) for text in texts]
        among = None if where is None else self.select(where).rows
        words = [query.text for query in queries]
        if config.mode == "bm25" or not queries:
            return [self._search(query, config, None, highlight, among) for query in queries]
        vectors = self._inference.queries(words, instruction)
        # Rows near many queries are looked for together; what one of them excludes concerns it alone.
        near = nearest(
            self.collection, vectors, config=config, among=among, profile=self._inference.profile(config.mode)
        ) if len(queries) > 1 else []  # fmt: skip
        return [
            self._search(query, config, vector, highlight, among, dense=near[number] if near else None)
            for number, (query, vector) in enumerate(zip(queries, vectors, strict=True))
        ]

    def iter_search(
        self, text: str, config: SearchConfig, *, instruction: str | None = None, where: Where | None = None
    ) -> Iterator[Hit]:
        """Hits one by one, their chunks read as they are taken: for a ``config.k`` of many thousands.

        Memory grows with the number of candidates by their scores, not by their texts. Every chunk is a hit of its own
        and has no highlight: what puts hits together, or compares them, needs them all.

        Raises:
            InvalidConfig: Hits are to be grouped, made different or limited by file.
        """
        if config.group_by or config.diversity or config.per_source is not None:
            raise InvalidConfig(
                "hits one by one are neither grouped nor chosen; leave out group_by, per_source, diversity"
            )
        query = (parse_query if config.operators else plain_query)(text)
        asked = None if config.mode == "bm25" else self._inference.queries([query.text], instruction)[0]
        among = None if where is None else self.select(where).rows

        def found(reranker: Reranker | None) -> Iterator[Hit]:
            return iter_search(
                self.collection, query, vector=asked, config=config, reranker=reranker, among=among,
                profile=self._inference.profile(config.mode),
            )  # fmt: skip

        hits = self._inference.looked_at(config, found)
        return (dataclasses.replace(hit, file=self._file(hit.source)) for hit in hits)

    def search_any(
        self, texts: Sequence[str], *, k: int = SearchConfig.k, mode: Mode = SearchConfig.mode,
        rerank: Rerank = SearchConfig.rerank, instruction: str | None = None,
        candidates: int = SearchConfig.candidates, where: Where | None = None,
    ) -> list[Hit]:  # fmt: skip
        """`search` for one question in several phrasings: the hits that are best for them together.

        A hit's score is the mean of those it has for each, so it means what it means in a search for one. Stages tell
        the score for each. The first phrasing is the one that is reranked and highlighted by.

        Raises:
            InvalidQuery: There is no phrasing, or an empty one.
        """
        config = SearchConfig(k=k, mode=mode, rerank=rerank, candidates=candidates)
        return self.search_any_with(texts, config, instruction=instruction, where=where)

    def search_any_with(
        self, texts: Sequence[str], config: SearchConfig, *, instruction: str | None = None, where: Where | None = None
    ) -> list[Hit]:
        """`search_any` with all settings in one object."""
        queries = [(parse_query if config.operators else plain_query)(text) for text in texts]
        if not queries:
            raise InvalidQuery("there is no query; expected at least one phrasing of a question")
        words = [query.text for query in queries]
        vectors = None if config.mode == "bm25" else self._inference.queries(words, instruction)
        among = None if where is None else self.select(where).rows

        def found(reranker: Reranker | None) -> list[Hit]:
            return search_any(
                self.collection, queries, vectors=vectors, config=config, reranker=reranker, among=among,
                highlighter=self._inference.highlighter(config), profile=self._inference.profile(config.mode),
            )  # fmt: skip

        return self._placed(self._inference.looked_at(config, found))

    def more_like(
        self, name: str, *, text: str = "", k: int = SearchConfig.k, mode: Mode = SearchConfig.mode,
        rerank: Rerank = SearchConfig.rerank, instruction: str | None = None, where: Where | None = None,
    ) -> list[Hit]:  # fmt: skip
        """The k chunks most like one of the index, or like a file of it, which is itself left out.

        Neighbours of the mean of its vectors, together with chunks that have its most telling words.

        Args:
            name: The id of a chunk (``hit.id``), a file, or lines of it: "a.md", "mail.zip!/b.md", "a.md:12-30".
            text: A question as well: its words take the place of those of the example, and its vector is moved
                towards that of the example.
            k: As in `search`, like all that follow.
            mode: "dense" looks at vectors alone, "bm25" at words alone.
            rerank: Against the question, or the words; "stored" only against a question.
            instruction: Of the question; an example has none.
            where: Which chunks may be given.

        Raises:
            InvalidQuery: The index has nothing of that name.
        """
        config = SearchConfig(k=k, mode=mode, rerank=rerank)
        return self.more_like_with(self.example(name), config, text=text, instruction=instruction, where=where)

    def more_like_with(
        self, example: Example, config: SearchConfig, *, text: str = "", instruction: str | None = None,
        where: Where | None = None,
    ) -> list[Hit]:  # fmt: skip
        """`more_like` with all settings in one object; a text of the index (`example`), or any ``Example((text,))``."""
        query = parse_query(text) if text else Query(" ".join(telling_words(self.collection, example)))
        vector = None
        if config.mode != "bm25":
            vectors = example.vectors if example.vectors is not None else self._inference.documents(example.texts)
            asked = self._inference.queries([query.text], instruction)[0] if text else None
            vector = direction(vectors, asked)
        among = leaving_out(self.collection, example.rows, None if where is None else self.select(where).rows)
        if not text and config.rerank == "stored":
            config = dataclasses.replace(config, rerank=False)  # measured with questions
        # What is known of questions, relevance included, does not hold for documents: PLAIN.
        return self._search(query, config, vector, True, among, profile=PLAIN)

    def example(self, name: str) -> Example:
        """What the index has under a name that `more_like` takes.

        Raises:
            InvalidQuery: It has nothing of that name.
        """
        return find_example(self.collection, name)

    def neighbourhoods(self, hits: Sequence[Hit], *, neighbours: int = 1) -> list[Surrounding]:
        """The text around each hit: it and so many chunks on either side, with its place."""
        _check_least("neighbours", neighbours, 0)
        return neighbourhoods(self.collection, hits, neighbours=neighbours)

    def sections(self, hits: Sequence[Hit]) -> list[Surrounding]:
        """The whole section of each hit: all under its heading; without headings its page, or else the document."""
        return sections(self.collection, hits)

    def select(self, where: Where) -> Selection:
        """The chunks a filter lets through, and how many they are; the same filter costs nothing the second time.

        Raises:
            InvalidQuery: It is no filter, or speaks of what is not there.
        """
        return self._selector.select(where)

    def context(  # noqa: PLR0913  (a public door: every argument is a named choice)
        self, text: str, *, max_tokens: int = 1500, per_source: int | None = None, neighbours: int = 1, k: int = 20,
        mode: Mode = SearchConfig.mode, rerank: Rerank = SearchConfig.rerank, instruction: str | None = None,
        where: Where | None = None, min_score: float = SearchConfig.min_score,
    ) -> Context:  # fmt: skip
        """The best passages for a query, numbered, cited and quoted, within a budget.

        Whole chunks are taken, best first, as long as the text they make fits, and then their neighbours; a budget
        too small for any gives an empty context. Chunks of one document that overlap or follow each other become one
        passage. The document with the best chunk stands first; its passages stand as they are read.

        Args:
            text: The query.
            max_tokens: Tokens of the whole text, citations included, by the tokenizer of the index's model.
            per_source: Passages from one file, at most; None for any number.
            neighbours: Chunks to add on either side of each hit, where there is room left: they displace no hit.
            k: Chunks to draw from.
            mode: As in `search`.
            rerank: As in `search`.
            instruction: As in `search`.
            where: As in `search`; neighbours of what it lets through may be added whatever it says.
            min_score: As in `search`: where no hit reaches it the context is empty.

        Raises:
            InvalidQuery: The query is empty, or the filter speaks of what is not there.
            InvalidConfig: A number or mode that cannot be.
        """
        _check_least("max_tokens", max_tokens, 1)
        _check_least("neighbours", neighbours, 0)
        if per_source is not None:
            _check_least("per_source", per_source, 1)
        hits = self.search(
            text, k=k, mode=mode, rerank=rerank, instruction=instruction, where=where, min_score=min_score
        )
        return assemble(
            pieces(self.collection, hits, neighbours=neighbours),
            tokenizer=self.encoder.tokenizer, max_tokens=max_tokens, per_source=per_source,
        )  # fmt: skip

    def verify(self, answer: str, context: Context, *, threshold: float = THRESHOLD) -> Verification:
        """Look in the passages of a context for what supports each sentence of an answer.

        A score is a similarity and no proof: a sentence that says the opposite, or names somebody else, can pass.

        Args:
            answer: What a language model, or somebody, wrote from the context; ``[n]`` in it is taken as a citation.
            context: What `context` gave.
            threshold: The least score of a supported sentence, above 0.4; the default is measured for c2v-mini.

        Raises:
            InvalidConfig: A threshold that cannot be.
        """
        return verify(answer, context, self.encoder, threshold=threshold)

    async def asearch(self, text: str, **settings: Any) -> list[Hit]:
        """`search` in a thread of its own, with its settings: the event loop goes on meanwhile."""
        return await asyncio.to_thread(self.search, text, **settings)

    async def aiter_search(self, text: str, config: SearchConfig, **settings: Any) -> AsyncIterator[Hit]:
        """`iter_search` that reads in a thread of its own, 64 hits at a time."""
        found = await asyncio.to_thread(self.iter_search, text, config, **settings)
        while part := await asyncio.to_thread(lambda: list(islice(found, STREAMED))):
            for hit in part:
                yield hit

    async def acontext(self, text: str, **settings: Any) -> Context:
        """`context` in a thread of its own, with its settings."""
        return await asyncio.to_thread(self.context, text, **settings)

    async def averify(self, answer: str, context: Context, **settings: Any) -> Verification:
        """`verify` in a thread of its own, with its settings."""
        return await asyncio.to_thread(self.verify, answer, context, **settings)

    @property
    def encoder(self) -> Encoder:
        """The model of the index, loaded when it is first needed: a keyword search never does.

        Raises:
            EncoderMismatch: The model of that name is not the one that made the index.
        """
        return self._inference.encoder

    @cached_property
    def _selector(self) -> Selector:
        from c2vsearch.filters import Selector

        return Selector(self.collection)

    def _search(
        self,
        query: Query,
        config: SearchConfig,
        vector: NDArray[np.float32] | None,
        highlight: bool,
        among: Live | None,
        profile: SearchProfile | None = None,
        dense: Sequence[RowScore] | None = None,
    ) -> list[Hit]:
        highlighter = self._inference.highlighter(config) if highlight else None

        def found(reranker: Reranker | None) -> list[Hit]:
            return search(
                self.collection, query, vector=vector, config=config, reranker=reranker, highlighter=highlighter,
                among=among, profile=profile or self._inference.profile(config.mode), dense=dense,
            )  # fmt: skip

        return self._placed(self._inference.looked_at(config, found))

    def _placed(self, hits: Sequence[Hit]) -> list[Hit]:
        return [dataclasses.replace(hit, file=self._file(hit.source)) for hit in hits]

    def _file(self, source: str) -> str:
        root = root_of(self.collection.manifest.roots, source)
        return root.file(source) if root else ""

    def close(self) -> None:
        """Let go of the files and the model."""
        self.collection.close()
        self._inference.close()
        self.__dict__.pop("_selector", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidConfig(f"{name} is {value}; expected at least {least}")
