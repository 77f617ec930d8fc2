"""`c2vsearch doctor`: what is installed, which runtime is used, and why."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from c2vsearch import __version__
from c2vsearch.cli.console import plain_table, print_json, results
from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.errors import C2VSearchError
from c2vsearch.terminal import visible_line

# Module, the name it is installed by, the extra that brings it, what it is for.
PACKAGES = (
    ("onnxruntime", "onnxruntime", "cpu", "the model on a CPU"),
    ("faiss", "faiss-cpu", "cpu", "vector search"),
    ("tantivy", "tantivy", "cpu", "keyword search"),
    ("pyarrow", "pyarrow", "cpu", "shards"),
    ("tokenizers", "tokenizers", "cpu", "tokens"),
    ("pypdfium2", "pypdfium2", "pdf", "PDF files"),
    ("python_calamine", "python-calamine", "office", "workbooks"),
    ("torch", "torch", "torch", "the model on torch, other models, GPUs"),
    ("transformers", "transformers", "torch", "other models"),
    ("onnx", "onnx", "train", "export"),
    ("ir_measures", "ir-measures", "eval", "evaluate"),
    ("matplotlib", "matplotlib", "eval", "evaluate --plots"),
    ("sentence_transformers", "sentence-transformers", "st", "models named st:..."),
    ("mteb", "mteb", "mteb", "evaluate on MTEB tasks"),
)
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False) -> None:
    """Say what is installed, which runtime the model takes and why, and try one search."""
    facts: dict[str, Any] = {
        "packages": _packages(),
        "machine": _machine(),
        "gpu": _gpu(),
        "model": _model(),
        "search": _try_search(),
    }
    if as_json:
        print_json(facts)
    else:
        _show(facts)
    if not facts["search"]["ok"]:
        raise typer.Exit(3)


def _packages() -> list[dict[str, str]]:
    found = []
    for module, name, extra, purpose in PACKAGES:
        there = importlib.util.find_spec(module) is not None
        version = _version(name) if there else ""
        found.append(
            {
                "package": name,
                "version": version,
                "for": purpose,
                "install": "" if there else f"pip install 'c2vsearch[{extra}]'",
            }
        )
    return found


def _version(name: str) -> str:
    import importlib.metadata

    for candidate in (name, f"{name.removesuffix('-cpu')}-gpu", f"{name}-gpu"):
        try:
            return importlib.metadata.version(candidate)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "?"


def _machine() -> dict[str, Any]:
    from c2vsearch.encoder.load import usable_cores

    info = Path("/proc/cpuinfo")
    words = set(info.read_text(encoding="utf-8", errors="replace").split()) if info.is_file() else set()
    return {
        "c2vsearch": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": usable_cores(),
        "cpu_flags": [flag for flag in CPU_FLAGS if flag in words],
        "can_write_here": os.access(Path.cwd(), os.W_OK),
    }


def _gpu() -> dict[str, str]:
    """For each of the two that could use one, whether it does and why."""
    facts = {}
    if importlib.util.find_spec("torch") is None:
        facts["torch"] = "not installed, so the model runs on the CPU"
    else:
        import torch

        available = torch.cuda.is_available()
        why = "no CUDA in this build of torch" if torch.version.cuda is None else "torch sees no CUDA device"
        facts["torch"] = f"CUDA device: {torch.cuda.get_device_name(0)}" if available else why
    if importlib.util.find_spec("faiss") is None:
        facts["faiss"] = "not installed"
    else:
        import faiss

        count = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
        facts["faiss"] = f"{count} GPUs" if count else "searches on the CPU (a build without GPU, or no device)"
    return facts


def _model() -> dict[str, Any]:
    from c2vsearch.encoder import load_encoder

    try:
        encoder = load_encoder(DEFAULT_MODEL)
    except C2VSearchError as error:
        return {"name": DEFAULT_MODEL, "error": str(error)}
    fingerprint = encoder.fingerprint
    runtime = type(encoder).__module__.rpartition(".")[2].removesuffix("_runtime")
    why = {
        "onnx": "the model has ONNX graphs and onnxruntime is installed",
        "torch": "onnxruntime is not installed",
    }
    return {
        "name": fingerprint.name, "revision": fingerprint.revision, "dim": fingerprint.dim, "runtime": runtime,
        "precision": fingerprint.precision, "why": why.get(runtime, ""),
    }  # fmt: skip


def _try_search() -> dict[str, Any]:
    """Index and ask two sentences in a temporary place: every part has to work together."""
    import tempfile

    from c2vsearch.indexing import index_directory
    from c2vsearch.retriever import Retriever

    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as name:
        place = Path(name)
        (place / "a.txt").write_text("The ferry leaves at nine in the morning.", encoding="utf-8")
        (place / "b.txt").write_text("Let the dough rest for an hour.", encoding="utf-8")
        try:
            index_directory(place, index=place / "index")
            hits = Retriever.open(place / "index").search("when does the boat depart", k=1)
        except C2VSearchError as error:
            return {"ok": False, "error": str(error)}
    return {"ok": bool(hits) and hits[0].source == "a.txt"}


def _show(facts: dict[str, Any]) -> None:
    console = results()
    table = plain_table("package", "version", "for", "")
    for row in facts["packages"]:
        table.add_row(row["package"], row["version"] or "-", row["for"], row["install"])
    console.print(table)
    machine, model = facts["machine"], facts["model"]
    console.print(f"c2vsearch {machine['c2vsearch']}, Python {machine['python']}, {machine['system']}")
    console.print(f"cores      {machine['cores']} usable ({', '.join(machine['cpu_flags']) or 'flags unknown'})")
    for part, sentence in facts["gpu"].items():
        console.print(f"GPU        {part}: {visible_line(sentence)}")
    if "error" in model:
        console.print(f"model      {visible_line(model['error'])}")
    else:
        console.print(
            f"model      {model['name']}@{model['revision'][:8]}, {model['dim']} dimensions, on {model['runtime']} in "
            f"{model['precision']}: {model['why']}"
        )
    search = facts["search"]
    console.print(
        "search     works" if search["ok"] else f"search     does not work: {visible_line(search.get('error', '?'))}"
    )
