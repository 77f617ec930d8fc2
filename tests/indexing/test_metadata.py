"""A table of metadata, from the file to the hit, through shards that are written anew."""

from __future__ import annotations

import datetime
from pathlib import Path

from c2vsearch import Retriever, index_directory
from c2vsearch.config import IndexingConfig


def test_what_a_table_says_comes_with_the_hits(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(40):
        (docs / f"{n}.md").write_text(f"# Note {n}\n\nSubject{n} is told here.")
    table = tmp_path / "m.csv"

    def sync(rows: str) -> None:
        table.write_text("path,year,due,tag\n" + rows)
        index_directory(
            docs, index=tmp_path / "index", encoder="hash", metadata=table, indexing=IndexingConfig(rows_per_shard=4)
        )

    def said(n: int) -> dict[str, object]:
        with Retriever.open(tmp_path / "index") as retriever:
            [hit, *_] = retriever.search(f"subject{n}", mode="bm25")
        assert (hit.source, hit.kind, hit.member) == (f"{n}.md", "markdown", "")
        return dict(hit.metadata)

    sync("3.md,2024,2024-05-01,\n7.md,2025,,x\n")
    assert said(3) == {"year": 2024, "due": datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)}
    assert said(7) == {"year": 2025, "tag": "x"}
    assert said(8) == {}
    # Other types, in shards that are joined with those of before.
    sync("3.md,early,2024-05-01,\n8.md,0.5,never,y\n")
    for n in range(20, 40):
        (docs / f"{n}.md").unlink()
    sync("3.md,early,2024-05-01,\n8.md,0.5,never,y\n")
    assert said(3)["year"] == "early"
    assert str(said(8)["year"]) == "0.5"
    assert said(7) == {}
