"""A plan against the run it foretells: the same files, chunks and tokens, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import EncoderMismatch
from c2vsearch.indexing import IndexPlan, IndexReport, index_directory, plan_index


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*")}


def agree(plan: IndexPlan, report: IndexReport) -> None:
    assert plan.files == report.files
    assert (plan.chunks, plan.to_embed, plan.tokens) == (report.chunks, report.encoded, report.tokens)
    assert plan.settings_changed == report.settings_changed


def test_the_run_does_what_the_plan_says(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", {f"{n}.md": f"# Note {n}\n\n" + f"Text {n}. " * 200 for n in range(8)})
    write(docs, {"empty.md": " ", "picture.png": "x", "copy/0.md": (docs / "0.md").read_text()})
    place = tmp_path / "index"
    plan = plan_index(docs, index=place, encoder="hash")
    assert not place.exists()
    assert plan.counts == {"added": 8, "duplicate": 1, "empty": 1, "skipped: unsupported": 1}
    agree(plan, index_directory(docs, index=place, encoder="hash"))

    write(docs, {"0.md": "# Changed", "new.md": "# Note 3\n\n" + "Text 3. " * 200 + "More."})
    (docs / "1.md").unlink()
    (docs / "2.md").rename(docs / "moved.md")
    before = snapshot(place)
    plan = plan_index(docs, index=place, encoder="hash")
    assert snapshot(place) == before
    assert plan.counts["moved"] == plan.counts["deleted"] == plan.counts["updated"] == 1
    agree(plan, index_directory(docs, index=place, encoder="hash"))
    assert plan_index(docs, index=place, encoder="hash").tokens == 0


def test_another_model_is_refused_as_by_the_run(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", {"a.md": "Text."})
    index_directory(docs, index=tmp_path / "index", encoder="hash")
    with pytest.raises(EncoderMismatch):
        plan_index(docs, index=tmp_path / "index", encoder=HashEncoder(dim=32))
    assert plan_index(docs, index=tmp_path / "index", encoder=HashEncoder(dim=32), rebuild=True).to_embed == 1


def test_the_disk_is_about_what_it_takes(tmp_path: Path) -> None:
    words = [f"word{n * 7919 % 5000}" for n in range(200_000)]
    docs = write(
        tmp_path / "docs", {f"{n}.md": f"# Note {n}\n\n" + " ".join(words[n * 400 : n * 400 + 400]) for n in range(500)}
    )
    encoder = HashEncoder(dim=768)
    plan = plan_index(docs, index=tmp_path / "index", encoder=encoder)
    index_directory(docs, index=tmp_path / "index", encoder=encoder)
    parts = [tmp_path / "index" / name for name in ("shards", "vectors", "lexical")]
    taken = sum(path.stat().st_size for part in parts for path in part.rglob("*") if path.is_file())
    assert taken / 1.3 <= plan.size_bytes <= taken * 1.3
    assert plan.seconds > 0
