"""An index read by other tools, as docs/storage-format.md says: no module of c2vsearch takes part in the reading."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c2vsearch.collection import Collection
from c2vsearch.records import Chunk
from tests.coding import code_of
from tests.collection.builder import ENCODER, Model, chunks_of, put, state, writer

DOCS = Path(__file__).resolve().parents[2] / "docs" / "storage-format.md"

PYARROW = """
import json, sys
from pathlib import Path
import numpy as np
import pyarrow.parquet as pq

root = Path(sys.argv[1])
manifest = json.loads(max((root / "versions").glob("*.json")).read_bytes())
deleted = set()
if manifest["deletes"]:
    table = pq.read_table(root / manifest["deletes"]["name"])
    deleted = set(zip(table["shard"].to_pylist(), table["row"].to_pylist()))
rows, vectors, codes = [], [], []
for shard in manifest["shards"]:
    table = pq.read_table(root / shard["name"], partitioning=None)
    live = [row for row in range(table.num_rows) if (shard["name"], row) not in deleted]
    table = table.take(live)
    stored = table["token_codes"].to_pylist() if "token_codes" in table.column_names else [None] * len(live)
    codes += [None if code is None else code.hex() for code in stored]
    rows += table.drop_columns([name for name in ("embedding", "token_codes") if name in table.column_names]).to_pylist()
    vectors += [np.array(row, dtype=np.float16).tolist() for row in table["embedding"].to_pylist()]
sources = {}
for record in pq.read_table(root / manifest["sources"]["name"]).to_pylist():
    sources[record["source"]] = record["chunks"]
json.dump([rows, vectors, codes, sources, manifest["counts"]["chunks"], [m for m in sys.modules if "c2vsearch" in m]], sys.stdout)
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return {name: chunks_of(name, 5, seed=n) for n, name in enumerate(["a.md", "caf\u00e9 100%.md", "c.md", "d.md"])}


def coded(chunk: Chunk) -> bytes | None:
    """The codes of a chunk; two files have none, so that some shards have the column and others do not."""
    return None if chunk.source in ("c.md", "d.md") else code_of(chunk.text)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """Several versions, deleted rows, shards with codes and without, and a shard of a run that did not finish."""
    root = tmp_path_factory.mktemp("built") / "i"
    with writer(root) as target:
        for name in ("gone.md", *model):
            put(target, chunks_of(name, 2 if name == "gone.md" else 6, seed=9))
        target.commit()
    with writer(root, token_codec="words-1") as target:
        for name in model:
            chunks = model[name]
            codes = [coded(chunk) for chunk in chunks]
            target.add(chunks, ENCODER.encode_documents([chunk.text for chunk in chunks]), codes)
            target.record_source(state(name, len(chunks)))
        put(target, chunks_of("gone.md", 2, seed=9))
        target.commit()
        target.remove_source("gone.md")
        target.commit()
        unfinished = chunks_of("unfinished.md", 7, seed=1)
        target.add(unfinished, ENCODER.encode_documents([chunk.text for chunk in unfinished]))
    manifest = Collection.open(root).manifest
    assert manifest.deletes
    assert {entry.name for entry in manifest.shards} < {f"shards/{path.name}" for path in (root / "shards").iterdir()}
    return root


def test_pyarrow_alone_reads_every_live_chunk_and_its_vector(root: Path, model: Model) -> None:
    done = subprocess.run([sys.executable, "-I", "-c", PYARROW, str(root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows, vectors, codes, sources, counted, ours = json.loads(done.stdout)
    assert ours == []
    chunks = {chunk.id: chunk for each in model.values() for chunk in each}
    assert counted == len(rows) == len(chunks)
    stored = {"a.md": "a.md", "caf\u00e9 100%.md": "caf\u00e9 100%25.md", "c.md": "c.md", "d.md": "d.md"}
    assert sources == {stored[name]: len(each) for name, each in model.items()}
    assert {row["chunk_id"] for row in rows} == set(chunks)
    by_text = {(stored[chunk.source], chunk.start): chunk for chunk in chunks.values()}
    for row, vector, code in zip(rows, vectors, codes, strict=True):
        chunk = by_text.pop((row["source"], row["start"]))
        assert (row["text"], row["end"], row["page"], row["tokens"]) == (
            chunk.text,
            chunk.end,
            chunk.page,
            chunk.tokens,
        )
        expected = ENCODER.encode_documents([chunk.text])[0].astype(np.float16)
        np.testing.assert_array_equal(np.array(vector, dtype=np.float16), expected)
        wanted = coded(chunk)
        assert code == (None if wanted is None else wanted.hex())
    assert 0 < sum(code is None for code in codes) < len(codes)
    assert not by_text


def snippets() -> list[str]:
    """The Python of the page, in its order."""
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def test_the_snippets_of_the_page_are_python() -> None:
    assert len(snippets()) == 2
    for snippet in snippets():
        ast.parse(snippet)


@pytest.mark.parametrize(("tool", "number"), [("duckdb", 0), ("polars", 1)])
def test_the_snippets_of_the_page_run_where_their_tool_is(root: Path, tool: str, number: int) -> None:
    pytest.importorskip(tool)
    manifest = max((root / "versions").glob("*.json"))
    setting = f"import json\nfrom pathlib import Path\nroot = Path({str(root)!r})\n"
    setting += f"manifest = json.loads(Path({str(manifest)!r}).read_bytes())\n"
    program = setting + snippets()[number].replace('Path("indexes/handbook")', f"Path({str(root)!r})")
    counted = "print('rows', len(rows))"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{counted}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "rows 20"
