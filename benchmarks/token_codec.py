"""What do the codes of token states lose, and how many bytes are enough? Fits codecs, and can write one into a model.

    python benchmarks/token_codec.py --data DIR_OF_SETS
    python benchmarks/token_codec.py --texts FILE... --data DIR_OF_SETS [--bytes 12,16,24] [--write MODEL_FOLDER]

Without texts: what a share of the second look is worth with the codec of the model, by stored codes, over 20 and 50
candidates and up to 600 questions of each set. With texts: what other codecs would be worth.

FILEs are JSON lines (or .jsonl.xz), of which the longest string is a text; a codec is fitted to 32 tokens each of up to
150 texts a file. Measured are the first 100 queries of each set, 50 candidates, by whole states and by codes of each
size: nDCG@10 at several shares. ``--write`` puts the codec of 16 bytes beside the weights of a model.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import lzma
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from bench import report
from sets import add_arguments, opened, questions

from c2vsearch import Retriever, load_encoder
from c2vsearch.config import SearchConfig
from c2vsearch.encoder.token_codes import coded_windows
from c2vsearch.encoder.windows import in_windows, pieces
from c2vsearch.evaluation import Questions, measure_run
from c2vsearch.model.token_codec import TOKENS_CODED, TokenCodec
from c2vsearch.search.fusion import convex
from c2vsearch.training.token_codec import PARTS, fit_token_codec

TEXTS_OF_A_FILE, LINES_READ, TOKENS_OF_A_TEXT = 150, 4000, 32
QUERIES, CANDIDATES = 100, 50
SHARES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5)
MANY, DEPTHS = 600, (20, 50)  # questions and candidates by stored codes
FIRST = SearchConfig(rerank=False, k=CANDIDATES, collapse=False, operators=False, highlight="words")
MEASURE = "nDCG@10"
Look = Callable[[np.ndarray, list[str]], list[float]]  # a query's states, and chunks: their scores


def main() -> None:
    """Fit, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--texts", type=Path, nargs="+")
    parser.add_argument("--bytes", default="12,16,24")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    encoder = load_encoder()
    states = drawn_states(encoder, [text for path in args.texts or () for text in texts_of(path)])
    sizes = map(int, args.bytes.split(",")) if args.texts else ()
    codecs = {f"{size} bytes": fit_token_codec(states, parts=size) for size in sizes}
    if args.write:
        codecs.setdefault(f"{PARTS} bytes", fit_token_codec(states)).save(args.write)
    found = {}
    for name in args.sets.split(","):
        with opened(args.data, name, encoder, indexes=args.indexes) as retriever:
            asked = questions(args.data, name)
            found[name] = measured(retriever, asked, codecs) if codecs else stored(retriever, asked)
        print(name, found[name], flush=True)
    kept = {name: round(kept_by(codec, states[::37]), 4) for name, codec in codecs.items()}
    means = {row: {key: mean(found, row, key) for key in kinds} for row, kinds in next(iter(found.values())).items()}
    results = {"mean": means, "sets": found} | ({"states": len(states), "cosine_kept": kept} if codecs else {})
    report("token_codec" if codecs else "token_code_shares", results)


def texts_of(path: Path) -> list[str]:
    """Some texts of a file, drawn from its first lines."""
    open_ = lzma.open if path.suffix == ".xz" else open
    with open_(path, "rt", encoding="utf-8") as file:
        lines = list(islice(file, LINES_READ))
    chosen = random.Random(5).sample(lines, min(TEXTS_OF_A_FILE, len(lines)))
    strings = [[value for value in json.loads(line).values() if isinstance(value, str)] for line in chosen]
    return [max(each, key=len) for each in strings if each]


def drawn_states(encoder, texts: Sequence[str]) -> np.ndarray:  # noqa: ANN001
    """Token states of the first window of each text, some of each. Shape: (T, K)."""
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    first = [group[0][0] for group in in_windows(texts, tokenizer=encoder.tokenizer, max_tokens=encoder.spec.window)]
    generator = np.random.default_rng(5)
    states = encoder.encode_document_tokens(first)
    return np.concatenate([rows[generator.permutation(len(rows))[:TOKENS_OF_A_TEXT]] for rows in states])


def kept_by(codec: TokenCodec, states: np.ndarray) -> float:
    """Mean cosine of states with what their codes stand for."""
    return float((codec.decode(codec.encode(states)) * codec.rotated(states)).sum(axis=1).mean())


def measured(retriever: Retriever, asked: Questions, codecs: dict[str, TokenCodec]) -> dict[str, dict[str, float]]:
    """nDCG@10 by row and share; share 0 is the first look."""
    queries = dict(islice(asked.queries.items(), QUERIES))
    texts = {chunk.id: chunk.embedded_text for chunk in retriever.collection.iter_chunks()}
    first = {name: retriever.search_with(text, FIRST) for name, text in queries.items()}
    states = states_of(retriever.encoder, {hit.id: texts[hit.id] for hits in first.values() for hit in hits})
    looks = {"whole states": whole(next(iter(codecs.values())), states)}
    looks |= {name: coded(codec, states) for name, codec in codecs.items()}
    found = {}
    for row, look in looks.items():
        runs: dict[float, dict[str, dict[str, float]]] = {share: {} for share in (0.0, *SHARES)}
        for name, text in queries.items():
            scores = {hit.id: hit.score for hit in first[name]}
            sources = {hit.id: hit.source for hit in first[name]}
            second = look(retriever.encoder.encode_query_tokens(text), list(scores))
            for share, run in runs.items():
                mixed = convex(dict(zip(scores, second, strict=True)), scores, weight=share)
                run[name] = best_of(mixed, sources)
        found[row] = {str(share): ndcg(run, asked, queries) for share, run in runs.items()}
    return found


def stored(retriever: Retriever, asked: Questions) -> dict[str, dict[str, float]]:
    """nDCG@10 by number of candidates and share, by the codes in the index."""
    names = random.Random(3).sample(list(asked.queries), min(MANY, len(asked.queries)))
    collection, codec = retriever.collection, retriever.encoder.token_codec
    rows = {chunk.id: row for row, chunk in collection.iter_rows()}
    runs: dict[tuple[int, float], dict] = {(depth, share): {} for depth in DEPTHS for share in (0.0, *SHARES)}
    for name in names:
        hits = retriever.search_with(asked.queries[name], FIRST)
        codes = collection.token_codes([rows[hit.id] for hit in hits], codec=codec.identity)
        query = retriever.encoder.encode_query_tokens(asked.queries[name])
        second = dict(zip((hit.id for hit in hits), codec.similarities(query, codes), strict=True))
        sources = {hit.id: hit.source for hit in hits}
        for (depth, share), run in runs.items():
            head = {hit.id: hit.score for hit in hits[:depth]}
            mixed = convex({key: second[key] for key in head}, head, weight=share)
            behind = {hit.id: -float(hit.rank) for hit in hits[depth:]}
            run[name] = best_of(mixed | behind, sources)
    found: dict[str, dict[str, float]] = {f"{depth} candidates": {} for depth in DEPTHS}
    for (depth, share), run in runs.items():
        found[f"{depth} candidates"][str(share)] = ndcg(run, asked, names)
    return found


def states_of(encoder, texts: dict[str, str]) -> dict[str, np.ndarray]:  # noqa: ANN001
    """Whole states of the tokens that would be coded."""
    groups = coded_windows(
        in_windows(list(texts.values()), tokenizer=encoder.tokenizer, max_tokens=encoder.spec.window)
    )
    rows = iter(encoder.encode_document_tokens(pieces(groups)))
    return {
        key: np.concatenate([next(rows) for _ in group])[:TOKENS_CODED].astype(np.float32)
        for key, group in zip(texts, groups, strict=True)
    }


def whole(codec: TokenCodec, states: dict[str, np.ndarray]) -> Look:
    """MaxSim of centred states."""
    rotated = {key: codec.rotated(each) for key, each in states.items()}
    return lambda query, keys: [float((codec.rotated(query) @ rotated[key].T).max(axis=1).mean()) for key in keys]


def coded(codec: TokenCodec, states: dict[str, np.ndarray]) -> Look:
    """MaxSim of what codes stand for."""
    codes = {key: codec.encode(each) for key, each in states.items()}
    return lambda query, keys: codec.similarities(query, [codes[key] for key in keys])


def best_of(scores: dict[str, float], sources: dict[str, str]) -> dict[str, float]:
    """The best score of each document."""
    found: dict[str, float] = {}
    for key, score in scores.items():
        found[sources[key]] = max(score, found.get(sources[key], float("-inf")))
    return found


def ndcg(run: dict[str, dict[str, float]], asked: Questions, queries: Iterable[str]) -> float:
    """Over the queries that were asked."""
    part = dataclasses.replace(asked, queries={name: asked.queries[name] for name in queries})
    return round(measure_run("", run, part, (MEASURE,)).mean(MEASURE), 4)


def mean(found: dict[str, dict[str, dict[str, float]]], row: str, share: str) -> float:
    """Over the sets."""
    return round(float(np.mean([kinds[row][share] for kinds in found.values()])), 4)


if __name__ == "__main__":
    main()
