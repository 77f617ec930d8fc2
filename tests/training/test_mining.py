"""Mined negatives against a slow, readable twin; every line in one state; files that are broken or odd."""

from __future__ import annotations

import json
import lzma
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.encoder import HashEncoder
from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.index.exact import exact_search
from c2vsearch.records import Fingerprint
from c2vsearch.training.leaks import EvaluationTexts
from c2vsearch.training.mining import MiningConfig, MiningReport, by_turns, mine
from c2vsearch.training.nearest import nearest_rows


class CountEncoder:
    """Counts of the letters a to f, in eighths: sums are exact, so that ties are ties whatever the order of adding."""

    max_tokens = 512
    tokenizer = WordTokenizer()
    fingerprint = Fingerprint(name="count", revision="1", dim=6, pooling="sum")

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> np.ndarray:
        return self.encode_documents(texts)

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[text.count(c) / 8 for c in "abcdef"] for text in texts], np.float32).reshape(len(texts), 6)


def write(path: Path, rows: Sequence[object]) -> Path:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(lzma.compress(data) if path.suffix == ".xz" else data)
    return path


def read(path: Path) -> list[dict]:
    data = path.read_bytes()
    return [json.loads(line) for line in (lzma.decompress(data) if path.suffix == ".xz" else data).splitlines()]


def fold(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower())) or text.strip()


def twin(rows: list[dict], *, negatives: int, skip: int, depth: int, max_ratio: float, same_group: str) -> list[list]:
    """What mining means, one pair and one text at a time."""
    encoder = CountEncoder()
    texts: dict[str, str] = {}
    for row in rows:
        for text in [row["positive"].strip(), *row.get("negatives", [])]:
            texts.setdefault(fold(text), text)
    found = []
    for row in rows:
        answers = {fold(other["positive"]) for other in rows if fold(other["query"]) == fold(row["query"])}
        group = {fold(other["positive"]) for other in rows if row.get("group") and other.get("group") == row["group"]}
        never = answers | {fold(text) for text in row.get("negatives", [])} | {fold(row["query"])}
        never |= group if same_group == "exclude" else set()
        query = encoder.encode_queries([row["query"]])[0]
        scores = {key: float(encoder.encode_documents([text])[0] @ query) for key, text in texts.items()}
        order = {key: place for place, key in enumerate(texts)}
        ranked = sorted((key for key in texts if key not in never), key=lambda key: (-scores[key], order[key]))
        limit = scores[fold(row["positive"])] * max_ratio
        kept = [key for key in ranked[skip:depth] if scores[key] <= limit]
        found.append([texts[key] for key in kept[:negatives]])
    return found


words = st.lists(st.sampled_from(["a", "b", "c", "d", "ab", "cd", "aab", "f"]), min_size=1, max_size=4).map(" ".join)
lines = st.fixed_dictionaries(
    {"query": words, "positive": words},
    optional={
        "group": st.sampled_from(["", "g", "h"]),
        "negatives": st.lists(words, max_size=2),
        "extra": st.integers(),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(lines, min_size=1, max_size=14), st.integers(1, 3), st.integers(0, 2), st.integers(3, 9),
    st.sampled_from([0.5, 0.95, 1.0]), st.sampled_from(["exclude", "allow"]),
)  # fmt: skip
def test_mined_negatives_are_those_of_the_twin(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict],
    negatives: int,
    skip: int,
    depth: int,
    ratio: float,
    group: str,
) -> None:
    place = tmp_path_factory.mktemp("mine")
    settings = {"negatives": negatives, "skip": skip, "depth": depth, "max_ratio": ratio, "same_group": group}
    config = MiningConfig(**settings, scores=True)
    report = mine([write(place / "in.jsonl", rows)], place / "out.jsonl", encoder=CountEncoder(), config=config)
    expected = twin(rows, **settings)
    written = read(place / "out.jsonl")
    assert len(written) == len(rows)
    for row, out, found in zip(rows, written, expected, strict=True):
        assert out["negatives"] == [*row.get("negatives", []), *found]
        assert {name: out[name] for name in row if name != "negatives"} == {
            name: value for name, value in row.items() if name != "negatives"
        }
        encoder = CountEncoder()
        texts = encoder.encode_documents([row["positive"], *out["negatives"]])
        assert out["scores"] == pytest.approx((texts @ encoder.encode_queries([row["query"]])[0]).tolist())
    mined = sum(len(found) == negatives for found in expected)
    assert (report.lines, report.mined, report.few, report.empty) == (len(rows), mined, len(rows) - mined, 0)
    assert report.negatives == sum(map(len, expected))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 12), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_blocks_find_what_exact_search_finds(rows: int, queries: int, k: int, block: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    documents = generator.integers(-2, 3, (rows, 4)).astype(np.float32)  # small whole numbers: many equal scores
    asked = generator.integers(-2, 3, (queries, 4)).astype(np.float32)
    without = [set(generator.integers(0, rows, 3).tolist()) for _ in range(queries)]
    found = nearest_rows(asked, documents, k=k, without=without, block=block)
    for query, gone, (numbers, scores) in zip(asked, without, found, strict=True):
        expected = exact_search(query, [documents.astype(np.float16)], k=k, deleted=frozenset(gone))
        assert list(zip(numbers.tolist(), scores.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("positive", "ratio", "margin", "limit"),
    [
        (0.8, 0.95, None, 0.76),
        (0.8, None, 0.1, 0.7),
        (0.8, 0.95, 0.1, 0.7),
        (0.8, 0.5, 0.1, 0.4),
        (0.8, 1.0, None, 0.8),
        (0.0, 0.95, None, 0.0),
        (-0.4, 0.95, None, -0.42),
        (0.8, None, None, float("inf")),
    ],
)
def test_the_highest_score_of_a_negative(
    positive: float, ratio: float | None, margin: float | None, limit: float
) -> None:
    assert MiningConfig(max_ratio=ratio, margin=margin).limit(positive) == pytest.approx(limit)


def test_a_candidate_at_the_limit_is_kept_and_one_above_it_is_not(tmp_path: Path) -> None:
    rows = [
        {"query": "aaaa", "positive": "aaaa bb"},  # scores 16 / 64 with its query
        {"query": "x", "positive": "aaa"},  # 12 / 64: three quarters
        {"query": "y", "positive": "aa"},
    ]
    path = write(tmp_path / "in.jsonl", rows)
    for ratio, expected in ((0.75, ["aaa", "aa"]), (0.74, ["aa"])):
        config = MiningConfig(negatives=2, max_ratio=ratio)
        report = mine([path], tmp_path / "out.jsonl", encoder=CountEncoder(), config=config)
        assert read(tmp_path / "out.jsonl")[0]["negatives"] == expected
        assert report.too_near >= (ratio == 0.74)


def test_the_same_text_in_other_words_is_no_negative(tmp_path: Path) -> None:
    sentence = "the blue ferry to the island leaves at nine every morning"
    rows = [
        {"query": "when does the ferry leave", "positive": sentence},
        {"query": "q2", "positive": sentence.upper() + "!"},
        {"query": "q3", "positive": f"Note: {sentence}, and bread is sold."},
        {"query": "q4", "positive": "the ferry office is closed"},
    ]
    path = write(tmp_path / "in.jsonl", rows)
    report = mine([path], tmp_path / "out.jsonl", encoder=HashEncoder(), config=MiningConfig(max_ratio=None))
    assert read(tmp_path / "out.jsonl")[0]["negatives"] == ["the ferry office is closed"]
    assert report.texts == 3
    assert report.same == 3  # the note for the first two, the sentence for the note


def test_keywords_name_candidates_the_encoder_does_not(tmp_path: Path) -> None:
    rows = [{"query": "aaaa zoo", "positive": "aaaa zoo"}]
    rows += [{"query": f"q{number}", "positive": "a" * number} for number in range(1, 4)]
    rows += [{"query": "p", "positive": "why zoo plot 9"}, {"query": "z", "positive": "bread"}]
    path = write(tmp_path / "in.jsonl", rows)
    found = {}
    for bm25 in (False, True):
        config = MiningConfig(negatives=2, depth=2, bm25=bm25, max_ratio=0.9)
        mine([path], tmp_path / "out.jsonl", encoder=CountEncoder(), config=config)
        found[bm25] = read(tmp_path / "out.jsonl")[0]["negatives"]
    assert found == {False: ["aaa", "aa"], True: ["aaa", "why zoo plot 9"]}


def test_drawing_is_seeded_and_stays_within_the_window(tmp_path: Path) -> None:
    rows = [{"query": f"{'a' * (n % 5 + 4)} {n}", "positive": "a" * (n + 20) + f" {n}"} for n in range(30)]
    path = write(tmp_path / "in.jsonl", rows)
    drawn = {}
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        config = MiningConfig(negatives=3, depth=12, skip=2, pick="random", seed=seed)
        mine([path], tmp_path / name, encoder=CountEncoder(), config=config)
        drawn[name] = [row["negatives"] for row in read(tmp_path / name)]
    assert drawn["one"] == drawn["again"] != drawn["two"]
    window = MiningConfig(negatives=10, depth=12, skip=2)
    mine([path], tmp_path / "all", encoder=CountEncoder(), config=window)
    for some, whole in zip(drawn["one"], read(tmp_path / "all"), strict=True):
        assert [text for text in whole["negatives"] if text in some] == some  # a part of the window, in its order


def test_every_line_ends_in_one_state(tmp_path: Path) -> None:
    rows = [
        {"query": "aa", "positive": "aaa", "source": "s", "n": 1},
        {"query": "  ", "positive": "b", "n": 2},
        {"query": "b", "positive": "", "n": 3},
        {"query": "when does the train leave", "positive": "cc", "n": 4},
        {"query": "b \u00e9\U0001f600 \ud83d", "positive": "bbb \ud83d \u65e5\u672c", "n": 5},
        {"query": "a", "positive": "aa", "n": 6},
    ]
    path = tmp_path / "in.jsonl.xz"
    path.write_bytes(lzma.compress(b"\xef\xbb\xbf" + "\n\n".join(json.dumps(row) for row in rows).encode() + b"\n"))
    report = mine(
        [path], tmp_path / "out.jsonl.xz", encoder=CountEncoder(), config=MiningConfig(negatives=1),
        evaluation=EvaluationTexts(queries=["When does the train leave?"], documents=[]),
    )  # fmt: skip
    assert report == MiningReport(
        lines=6, mined=3, few=0, empty=2, leaked={"query": 1}, texts=3, negatives=3, too_near=report.too_near, same=0
    )
    written = read(tmp_path / "out.jsonl.xz")
    assert [row["n"] for row in written] == [1, 5, 6]
    assert written[1]["positive"] == rows[4]["positive"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl.xz", "out.jsonl.xz"]


def test_lines_with_too_few_can_be_left_out(tmp_path: Path) -> None:
    rows = [{"query": "aaa", "positive": "aaa"}, {"query": "aab", "positive": "aab"}, {"query": "a", "positive": "f"}]
    path = write(tmp_path / "in.jsonl", rows)
    kept, dropped = (
        mine([path], tmp_path / f"{drop}", encoder=CountEncoder(), config=MiningConfig(negatives=1, drop_few=drop))
        for drop in (False, True)
    )
    assert kept == dropped
    assert (kept.mined, kept.few) == (2, 1)
    assert [row for row in read(tmp_path / "False") if len(row["negatives"]) == 1] == read(tmp_path / "True")
    assert len(read(tmp_path / "False")) == 3


def test_an_empty_file_gives_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\n")
    for bm25 in (False, True):
        config = MiningConfig(bm25=bm25)
        assert mine([tmp_path / "in.jsonl"], tmp_path / "out", encoder=HashEncoder(), config=config) == MiningReport()
        assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{broken", "b.jsonl line 2: not JSON"),
        (b'{"query": "caf\xe9", "positive": "p"}', "b.jsonl line 2: not JSON"),
        (b"[1]", "line 2: expected an object with"),
        (b'{"query": "q"}', "line 2: expected an object with"),
        (b'{"query": "q", "positive": 3}', "line 2: expected an object with"),
        (b'{"query": "q", "positive": "p", "negatives": "n"}', "line 2: negatives is not"),
        (b'{"query": "q", "positive": "p", "negatives": [1]}', "line 2: negatives is not"),
        (b'{"query": "q", "positive": "p", "negatives": [" "]}', "line 2: negatives is not"),
        (b'{"query": "q", "positive": "p", "group": 7}', "line 2: group is 7"),
        (b"[" * 100_000, "line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_output_stays(tmp_path: Path, line: bytes, message: str) -> None:
    good = write(tmp_path / "a.jsonl", [{"query": "q", "positive": "p"}])
    (tmp_path / "b.jsonl").write_bytes(b'{"query": "q", "positive": "p"}\n' + line + b"\n")
    (tmp_path / "out.jsonl").write_text("before")
    with pytest.raises(InvalidDataset, match=re.escape(message)):
        mine([good, tmp_path / "b.jsonl"], tmp_path / "out.jsonl", encoder=HashEncoder())
    assert (tmp_path / "out.jsonl").read_text() == "before"


@pytest.mark.parametrize("data", [b"not xz at all", lzma.compress(b'{"query": "q", "positive": "p"}\n' * 99)[:-20]])
def test_a_broken_archive_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jsonl.xz").write_bytes(data)
    with pytest.raises(InvalidDataset, match=r"a\.jsonl\.xz cannot be read"):
        mine([tmp_path / "a.jsonl.xz"], tmp_path / "out.jsonl", encoder=HashEncoder())
    assert not (tmp_path / "out.jsonl").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match=r"none\.jsonl cannot be read"):
        mine([tmp_path / "none.jsonl"], tmp_path / "out.jsonl", encoder=HashEncoder())


def test_what_cannot_be_read_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InvalidDataset, match=r"pipe\.jsonl is not a file"):
        mine([tmp_path / "pipe.jsonl"], tmp_path / "out.jsonl", encoder=HashEncoder())
    path = write(tmp_path / "in.jsonl", [{"query": "q", "positive": "p"}, {"query": "r", "positive": "s"}])
    encode = HashEncoder.encode_documents

    def shortened(self: HashEncoder, texts: Sequence[str]) -> np.ndarray:
        write(path, [{"query": "q", "positive": "p"}])
        return encode(self, texts)

    monkeypatch.setattr(HashEncoder, "encode_documents", shortened)
    with pytest.raises(InvalidDataset, match="2 lines were read first and 1 when"):
        mine([path], tmp_path / "out.jsonl", encoder=HashEncoder())
    assert not (tmp_path / "out.jsonl").exists()


def test_the_output_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="is a directory"):
        mine([], tmp_path, encoder=HashEncoder())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"negatives": 0}, "negatives is 0"),
        ({"skip": -1}, "skip is -1"),
        ({"skip": 50}, "depth is 50; expected more than skip"),
        ({"max_ratio": 0.0}, "max_ratio is 0.0"),
        ({"max_ratio": float("nan")}, "max_ratio is nan"),
        ({"margin": -0.1}, "margin is -0.1"),
        ({"same_group": "first"}, "same_group is 'first'"),
        ({"pick": "best"}, "pick is 'best'"),
    ],
)
def test_settings_that_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(InvalidConfig, match=re.escape(message)):
        MiningConfig(**settings)


def test_turns() -> None:
    assert by_turns([], [2, 1]) == [2, 1]
    assert by_turns([5, 4, 3], [4]) == [5, 4, 3]
