"""Answers held against their passages: scores by the formula, spans in the document, what is missing in sight."""

from __future__ import annotations

import math

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.index.analysis import query_terms
from c2vsearch.rag.claim import claims
from c2vsearch.rag.context import Context
from c2vsearch.rag.evidence import Evidence
from c2vsearch.rag.numbers import numbers
from c2vsearch.rag.support import Verification, verify

FERRIES = """# Ferries

The ferry to Ostray leaves at nine. A ticket costs £12 for adults. Dogs travel free on a lead.

# Bicycles

Bicycles cost 4 pounds. They are not carried on the night boat! Book them two days ahead.
"""


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("docs")
    (root / "ferries.md").write_text(FERRIES)
    (root / "wages.md").write_text("# Wages\n\nWages are paid on the 25th. In December they come on the 19th.\n")
    index_directory(root, index=root / "index", encoder="hash")
    with Retriever.open(root / "index") as opened:
        yield opened


@pytest.fixture(scope="module")
def context(retriever) -> Context:
    return retriever.context("ferry ticket bicycles wages", max_tokens=500)


def expected(claim: str, context: Context) -> float:
    """The best score by the definition, one span at a time."""
    encoder = HashEncoder()
    sentences = [p.text[a:b] for p in context.passages for a, b in sentence_spans(p.text)]
    rarity = {
        t: math.log(1 + len(sentences) / (1 + sum(t in query_terms(s) for s in sentences))) for t in query_terms(claim)
    }
    negated = any(word in claim.split() for word in ("not", "no"))
    best = 0.0
    for passage in context.passages:
        spans = sentence_spans(passage.text)
        for (start, end), following in zip(spans, [*spans[1:], None], strict=True):
            for last in [end, following[1]] if following else [end]:
                text = passage.text[start:last]
                parts = [passage.text[a:b] for a, b in spans if start <= a and b <= last]
                row = encoder.encode_documents(parts).sum(axis=0)
                cosine = row / np.linalg.norm(row) @ encoder.encode_documents([claim])[0]
                share = sum(v for t, v in rarity.items() if t in query_terms(text)) / sum(rarity.values())
                score = min(max(0.8 * cosine + 0.2 * share, 0.0), 1.0)
                score *= 1.0 if numbers(claim) <= numbers(text) else 0.4
                score *= 1.0 if negated == ("not" in text.split()) else 0.9
                best = max(best, score)
    return best


@pytest.mark.parametrize(
    "claim",
    ["A ticket costs £12 for adults.", "A ticket costs £15.", "Bicycles are not carried at night.",
     "Wages are paid on the 25th and in December on the 19th.", "Whales sing.",
     "They are carried on the night boat!"],
)  # fmt: skip
def test_the_score_is_the_definition(retriever, context, claim):
    [found] = retriever.verify(claim, context)
    assert found.score == pytest.approx(expected(claim, context), abs=1e-5)
    assert found.supported == (found.score >= 0.5)


def test_the_span_is_in_the_document(retriever, context):
    answer = "Dogs travel free on a lead [1]. Wages are paid on the 25th, and in December on the 19th [2]."
    dogs, wages = retriever.verify(answer, context)
    assert (dogs.citation.source, FERRIES[dogs.start : dogs.end]) == ("ferries.md", "Dogs travel free on a lead.")
    assert dogs.quote == FERRIES[dogs.start : dogs.end]
    assert wages.citation.source == "wages.md"
    assert "25th. In December they come on the 19th" in wages.quote  # two sentences together
    assert (dogs.cited, wages.cited) == ((1,), (2,))


def test_a_changed_number_is_unsupported_and_in_sight(retriever, context):
    verification = retriever.verify("A ticket costs £12 for adults. A ticket costs £15 for adults.", context)
    right, wrong = verification
    assert right.supported
    assert right.score > 0.9
    assert verification.unsupported == (wrong,)
    assert wrong.score <= 0.4
    assert not verification.supported
    assert str(verification).splitlines()[1] == f"UNSUPPORTED {wrong.score:.2f}: A ticket costs £15 for adults."


def test_number_words_are_numbers(retriever, context):
    [words, other] = retriever.verify("Bicycles cost four pounds. Bicycles cost five pounds.", context)
    assert words.supported
    assert not other.supported


def test_without_passages_nothing_is_supported(retriever):
    nothing = retriever.context("ferry", max_tokens=1)
    [found] = retriever.verify("The ferry leaves.", nothing)
    assert (found.supported, found.score, found.citation, found.quote) == (False, 0.0, None, "")


@pytest.mark.parametrize("answer", ["", " \n", "[1]", "..."])
def test_an_answer_that_says_nothing_is_not_supported(retriever, context, answer):
    verification = retriever.verify(answer, context)
    assert verification.sentences == ()
    assert not verification.supported


def test_a_whole_answer_is_supported_when_each_sentence_is(context):
    verification = verify("Dogs travel free on a lead. Bicycles cost 4 pounds.", context, HashEncoder())
    assert verification.supported
    assert verification.unsupported == ()


@pytest.mark.parametrize("threshold", [0.4, -1.0, 1.01, math.nan])
def test_impossible_thresholds(retriever, context, threshold):
    with pytest.raises(InvalidConfig, match=r"threshold is .*; expected above 0\.4 and up to 1"):
        retriever.verify("x", context, threshold=threshold)


def test_the_threshold_decides(retriever, context):
    [lenient] = retriever.verify("Dogs travel on a lead with adults.", context, threshold=0.41)
    [strict] = retriever.verify("Dogs travel on a lead with adults.", context, threshold=1.0)
    assert lenient.score == strict.score
    assert lenient.supported
    assert not strict.supported


def test_a_verdict_is_safe_to_print(retriever, context):
    assert "\x1b" not in str(retriever.verify("Dogs \x1b]0;owned\x07 travel free.", context))


def test_list_marks_and_markers_are_no_numbers():
    answer = "1. Send it [12]\n2) Wait.\n- Claims are paid [1][3]!\n* Ask (extension 22)."
    assert [claim.text for claim in claims(answer)] == ["Send it", "Wait.", "Claims are paid!", "Ask (extension 22)."]
    assert [claim.cited for claim in claims(answer)] == [(12,), (), (1, 3), ()]


@pytest.mark.parametrize("answer", ["One. [1] Two. [2]", "One.[1] Two.[2]", "One [1]. Two [2]."])
def test_a_marker_belongs_to_the_sentence_before_it(answer):
    assert [(claim.text, claim.cited) for claim in claims(answer)] == [("One.", (1,)), ("Two.", (2,))]


def test_scores_of_many_claims_are_those_of_each(context):
    evidence = Evidence(context, HashEncoder())
    many = ["Dogs travel free.", "A ticket costs £15.", "Whales."]
    together = evidence.scores(many)
    assert together.shape == (3, len(evidence.spans))
    for row, claim in zip(together, many, strict=True):
        np.testing.assert_allclose(row, evidence.scores([claim])[0])
    assert isinstance(verify(" ".join(many), context, HashEncoder()), Verification)
