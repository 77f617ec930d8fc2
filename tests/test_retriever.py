"""The front door over real, small indexes made with the hash encoder."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory, inference
from c2vsearch.collection import Collection
from c2vsearch.config import ChunkingConfig, EncodingConfig, SearchConfig
from c2vsearch.encoder import HashEncoder, load_encoder
from c2vsearch.errors import EncoderMismatch, IndexNotFound, InvalidConfig, InvalidQuery, ModelNotFound
from c2vsearch.model import checkpoint
from tests.tiny_models import make_model, make_spec, make_tokenizer

WORDS = "boat harbour captain deck rope anchor sail wind tide pilot crew cargo dock crane".split()
QUERY = "ferry harbour rope"


@pytest.fixture
def tokenizer_folder(tmp_path):
    make_tokenizer().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    rng = random.Random(1)
    paragraphs = [" ".join(["ferry", *rng.choices(WORDS, k=50)]) + "." for _ in range(30)]
    (root / "long.md").write_text("# Ferries\n\n" + "\n\n".join(paragraphs))
    (root / "a.txt").write_text("A copied ferry licence text.\n")
    (root / "b.txt").write_text("A copied ferry licence text.\n")
    (root / "x\n[9] forged.txt").write_text("The harbour master signs here.\n")
    return root


@pytest.fixture(scope="module")
def index(corpus, tmp_path_factory):
    place = tmp_path_factory.mktemp("index") / "ferries"
    index_directory(
        corpus,
        index=place,
        encoder="hash",
        chunking=ChunkingConfig(max_tokens=96, overlap_tokens=16, context_tokens=16),
    )
    return place


@pytest.fixture
def retriever(index):
    with Retriever.open(index) as opened:
        yield opened


def tokens(retriever, text):
    return len(retriever.encoder.tokenizer.token_spans(text))


def test_dense_search_equals_brute_force_over_every_chunk(retriever):
    rows = list(retriever.collection.iter_rows())
    vectors = retriever.collection.vectors([row for row, _ in rows])
    scores = vectors @ HashEncoder().encode_queries([QUERY])[0]
    expected = sorted(zip((-scores).tolist(), (chunk.id for _, chunk in rows), strict=True))[:10]
    hits = retriever.search(QUERY, mode="dense")
    assert [hit.score for hit in hits] == pytest.approx([-score for score, _ in expected], abs=1e-5)
    assert {hit.id for hit in hits[:9]} <= {id for _, id in expected}


def test_a_batch_equals_the_queries_one_by_one(retriever):
    queries = [QUERY, "licence", "pilot?", "!?"]
    assert retriever.search_batch(queries, k=5) == [retriever.search(query, k=5) for query in queries]
    assert retriever.search_batch([]) == []


def test_punctuation_alone_finds_nothing_by_words_and_something_by_meaning(retriever):
    assert retriever.search("?!", mode="bm25") == []
    assert retriever.search("?!", k=3)


def test_a_query_longer_than_the_model_reads_is_answered(retriever):
    assert retriever.search(" ".join([*WORDS, "licence"] * 300), k=3)


def test_hits_know_the_files_they_are_from(retriever, corpus):
    for hit in retriever.search(QUERY):
        assert hit.file == str(corpus.resolve() / hit.source)


def test_a_keyword_search_never_loads_the_model(index, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(inference, "load_encoder", refuse)
    assert Retriever.open(index).search("licence", mode="bm25")
    with pytest.raises(AssertionError, match="loaded"):
        Retriever.open(index).search("licence", mode="dense")


def test_another_encoder_is_refused_with_both_names(index):
    with pytest.raises(EncoderMismatch, match=r"hash@words-64 \(64 dimensions\).*hash@words-32 \(32.*--rebuild"):
        Retriever.open(index, encoder=HashEncoder(dim=32))


def test_the_dimension_of_the_index_is_followed(tmp_path, tokenizer_folder) -> None:
    """An index of shorter embeddings is asked with shorter ones, and another width is refused by name."""
    spec = make_spec(name=str(tmp_path / "m"), projector_residual=True, tied_token_embeddings=True)
    checkpoint.save(make_model(spec), tmp_path / "m", tokenizers=tokenizer_folder)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("the quick brown fox\n")
    (tmp_path / "docs" / "b.txt").write_text("a lazy dog\n")
    settings = {"index": tmp_path / "index", "encoder": tmp_path / "m"}
    index_directory(tmp_path / "docs", encoding=EncodingConfig(dim=6), **settings)
    assert Collection.open(tmp_path / "index").manifest.fingerprint.dim == 6
    for encoder in (None, tmp_path / "m"):  # by the name in the index, and by path
        with Retriever.open(tmp_path / "index", encoder=encoder) as retriever:
            assert retriever.encoder.fingerprint.dim == 6
            [first, _] = retriever.search("find the fox", mode="dense", k=2)
            whole = load_encoder(tmp_path / "m")
            query, document = whole.encode_queries(["find the fox"])[0], whole.encode_documents([first.text])[0]
            a, b = (np.concatenate([row[:3], row[16:19]]) for row in (query, document))
            assert first.score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=2e-3)
    for dim in (6, None):
        assert index_directory(tmp_path / "docs", encoding=EncodingConfig(dim=dim), **settings).encoded == 0
    with pytest.raises(EncoderMismatch, match=r"\(6 dimensions\).*\(8 dimensions\).*--dim"):
        index_directory(tmp_path / "docs", encoding=EncodingConfig(dim=8), **settings)
    with pytest.raises(EncoderMismatch, match=r"\(6 dimensions\).*\(32 dimensions\)"):
        Retriever.open(tmp_path / "index", encoder=load_encoder(tmp_path / "m"))
    with pytest.raises(InvalidConfig, match="dim is 6; the encoder given makes 64"):
        index_directory(
            tmp_path / "docs", index=tmp_path / "other", encoder=HashEncoder(), encoding=EncodingConfig(dim=6)
        )


def test_a_model_too_narrow_for_the_index_is_another_model(tmp_path, tokenizer_folder) -> None:
    for name, spec in (("wide", make_spec(name="wide")), ("narrow", make_spec(name="narrow", pooling="eos"))):
        checkpoint.save(make_model(spec), tmp_path / name, tokenizers=tokenizer_folder)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("the quick brown fox\n")
    index_directory(tmp_path / "docs", index=tmp_path / "index", encoder=tmp_path / "wide")
    with pytest.raises(EncoderMismatch, match=r"wide@.*\(32 dimensions\).*another.*dim is 32"):
        Retriever.open(tmp_path / "index", encoder=tmp_path / "narrow")


def test_a_lost_model_is_named_with_what_to_do(index):
    manifest = Collection.open(index).manifest
    lost = dataclasses.replace(manifest, fingerprint=dataclasses.replace(manifest.fingerprint, name="no-such-model"))
    with pytest.raises(ModelNotFound, match=r"no-such-model.*--model"):
        _ = Retriever(Collection(index, lost)).encoder


def test_what_cannot_be_searched_is_refused(retriever, tmp_path):
    with pytest.raises(InvalidQuery):
        retriever.search(" \n")
    with pytest.raises(InvalidConfig, match="no token states"):
        retriever.search(QUERY, rerank=True)
    with pytest.raises(InvalidConfig, match="k is 0"):
        retriever.search(QUERY, k=0)
    with pytest.raises(InvalidConfig, match="max_tokens is 0"):
        retriever.context(QUERY, max_tokens=0)
    with pytest.raises(IndexNotFound):
        Retriever.open(tmp_path)


def test_more_hits_than_there_are_chunks_is_all_of_them(retriever):
    everything = {chunk.id for chunk in retriever.collection.iter_chunks()}
    hits = retriever.search(QUERY, k=10**12)
    repeats = [place for hit in hits for place in hit.repeats]
    assert {hit.id for hit in hits} < everything
    assert len(hits) + len(repeats) == len(everything)


class TokenStates(HashEncoder):
    def encode_query_tokens(self, text, *, instruction=None):
        return np.stack([self._row(word) for word in text.split()])

    def encode_document_tokens(self, texts):
        return [self.encode_query_tokens(text) for text in texts]


def test_rerank_through_the_door_permutes_the_candidates(index):
    retriever = Retriever.open(index, encoder=TokenStates())
    config = SearchConfig(k=30, rerank_candidates=5)
    plain = retriever.search_with(QUERY, config)
    reranked = retriever.search_with(QUERY, dataclasses.replace(config, rerank=True))
    assert {hit.id for hit in reranked[:5]} == {hit.id for hit in plain[:5]}
    assert [hit.id for hit in reranked[5:]] == [hit.id for hit in plain[5:]]


# Context.


@pytest.mark.parametrize("budget", [1, 60, 150, 600, 1500, 100_000])
def test_a_context_is_within_its_budget_and_says_its_size(retriever, budget):
    context = retriever.context(QUERY, max_tokens=budget)
    assert tokens(retriever, context.text) == context.tokens <= budget
    assert sum(passage.tokens for passage in context.passages) == context.tokens
    assert context.text == "\n\n".join(f"[{p.number}] {p.citation}\n```\n{p.text}\n```" for p in context.passages)


def test_a_long_run_of_adjoining_hits_does_not_push_out_the_best_one(retriever):
    best = retriever.search(QUERY, k=1)[0]
    assert tokens(retriever, "\n".join(hit.text for hit in retriever.search(QUERY, k=20))) > 600
    context = retriever.context(QUERY, max_tokens=600)
    assert best.text in context.passages[0].text


def test_passages_are_text_of_the_file_word_for_word(retriever, corpus):
    original = (corpus / "long.md").read_text()
    passages = [p for p in retriever.context(QUERY, max_tokens=5000).passages if p.citation.startswith("long.md")]
    assert passages
    assert all(passage.text in original for passage in passages)


def test_copies_in_two_files_are_cited_once(retriever):
    context = retriever.context("copied licence text", max_tokens=5000)
    assert context.text.count("A copied ferry licence text.") == 1


def test_a_file_name_cannot_forge_a_citation(retriever):
    context = retriever.context("harbour master signs", max_tokens=5000)
    assert r"x\n[9] forged.txt:1-1" in context.text
    assert "\n[9] forged" not in context.text
