"""`c2vsearch status`: what is in an index, what was left out and why, what is stale."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import plain_table, print_json, results, size
from c2vsearch.cli.find_index import At, Place, open_index
from c2vsearch.errors import CorruptFile
from c2vsearch.records import path_of
from c2vsearch.task import Task
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.collection import Collection

EXAMPLES = """Examples:

c2vsearch status --problems

c2vsearch status --index indexes/handbook --verify"""


def status(
    place: Place = None,
    at: At = None,
    problems: Annotated[bool, typer.Option("--problems", help="Every file that was skipped or failed.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every byte with what was recorded.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show what an index holds: counts, sizes, model, versions, and whether the files have changed since."""
    collection = open_index(place, at)
    facts = _facts(collection)
    if verify:
        facts["verified_files"] = collection.verify()
    if as_json:
        print_json(facts)
        return
    console = results()
    table = plain_table("", "")
    for key, value in _lines(facts):
        table.add_row(key, visible_line(str(value)))
    console.print(table)
    if problems:
        for problem in facts["problems"]:
            console.print(f"{visible_line(problem['path'])}: {problem['reason']}, {visible_line(problem['detail'])}")
    if facts["stale"] and any(facts["stale"].values()):
        console.print(
            "The files have changed since. Bring the index up to date: "
            f"c2vsearch index --index {visible_line(facts['index'])}"
        )


def _facts(collection: Collection) -> dict[str, Any]:
    from c2vsearch.collection.manifest import searched

    manifest, stats = collection.manifest, collection.stats()
    return {
        "index": str(collection.root),
        "roots": [{"path": root.path, "label": root.label} for root in manifest.roots],
        "version": manifest.version,
        "versions": list(stats.versions),
        "created": manifest.created,
        "model": dataclasses.asdict(manifest.fingerprint),
        "task": manifest.task and dataclasses.asdict(manifest.task),
        "chunking": dataclasses.asdict(manifest.chunking),
        "files": {key: manifest.counts[key] for key in manifest.counts if key.startswith("sources_")},
        "chunks": stats.chunks,
        "bytes": {"shards": stats.bytes_shards, "vectors": stats.bytes_vectors, "lexical": stats.bytes_lexical},
        "searched": {
            "spec": dataclasses.asdict(manifest.index),
            "lines": list(searched(manifest)),
            "segments": [
                {"rows": entry.file.rows, "kind": entry.kind}
                if entry.candidates is None
                else {
                    "rows": entry.file.rows,
                    "kind": entry.candidates.kind,
                    "meets": entry.candidates.meets,
                    "few": dataclasses.asdict(entry.candidates.few),
                    "many": dataclasses.asdict(entry.candidates.many),
                    "bytes": entry.candidates.file.size_bytes,
                }
                for entry in manifest.vectors
            ],
        },
        "token_codes": _coded(collection),
        "problems": [
            {
                "path": path_of(report.source, report.member),
                "status": report.status,
                "reason": report.reason,
                "detail": report.detail,
            }
            for state in collection.sources.values()
            for report in state.reports()
        ],
        "stale": _stale(collection),
    }


def _coded(collection: Collection) -> dict[str, int] | None:
    """Rows of shards with codes of token states, by codec; None where a shard cannot be read."""
    found: dict[str, int] = {}
    try:
        for number, entry in enumerate(collection.manifest.shards):
            codec = collection.shard(number).token_codec
            found[codec] = found.get(codec, 0) + entry.rows
    except CorruptFile:
        return None
    return found


def _reranked(coded: dict[str, int]) -> str:
    """What codes there are, in words.

    >>> _reranked({"pq16-ab": 9}), _reranked({"": 7})
    ('by token codes of every chunk', 'not unless asked for: there are no token codes')
    >>> _reranked({"": 3, "pq16-ab": 9})
    'where there are token codes, which 3 of 12 chunks lack; index --rebuild stores them'
    """
    lacking, rows = coded.get("", 0), sum(coded.values())
    if not lacking:
        return "by token codes of every chunk"
    if lacking == rows:
        return "not unless asked for: there are no token codes"
    return f"where there are token codes, which {lacking:,} of {rows:,} chunks lack; index --rebuild stores them"


def _stale(collection: Collection) -> dict[str, int] | None:
    """New, changed and deleted files by a walk under the rules of the index; None when a root is not there."""
    from c2vsearch.ingest import walk
    from c2vsearch.records import SourceFile

    roots = collection.manifest.roots
    if not all(Path(root.path).exists() for root in roots):
        return None
    found = {
        root.name(entry.source): entry
        for root in roots
        for entry in walk(Path(root.path), config=root.walking)
        if isinstance(entry, SourceFile)
    }
    known = collection.sources
    indexed = {source for source, state in known.items() if state.status == "indexed"}
    changed = [
        source
        for source, entry in found.items()
        if source in indexed
        and (entry.size_bytes, entry.mtime_ns) != (known[source].size_bytes, known[source].mtime_ns)
    ]
    return {"new": len(set(found) - set(known)), "changed": len(changed), "deleted": len(indexed - set(found))}


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    model, stale = facts["model"], facts["stale"]
    files = ", ".join(f"{count} {key.removeprefix('sources_')}" for key, count in facts["files"].items())
    sizes = ", ".join(f"{key} {size(value)}" for key, value in facts["bytes"].items())
    lines = [
        ("index", facts["index"]),
        *(("of", f"{root['path']} as {root['label']}:" if root["label"] else root["path"]) for root in facts["roots"]),
        ("files", files or "none"),
        ("chunks", f"{facts['chunks']} (at most {facts['chunking']['max_tokens']} tokens)"),
        *(("searched", line) for line in facts["searched"]["lines"]),
        *([("reranked", _reranked(facts["token_codes"]))] if facts["token_codes"] else []),
        ("size", sizes),
        ("model", f"{model['name']}@{model['revision'][:8]}, {model['dim']} dimensions"),
        *([("task", str(Task(**facts["task"])))] if facts["task"] else []),
        ("version", f"{facts['version']} of {facts['created']} (kept: {', '.join(map(str, facts['versions']))})"),
        ("since then", "not all of it is there" if stale is None else ", ".join(f"{v} {k}" for k, v in stale.items())),
    ]
    if "verified_files" in facts:
        lines.append(("verified", f"{facts['verified_files']} files, every byte as recorded"))
    return lines
