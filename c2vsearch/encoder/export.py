"""A model folder for both runtimes: weights in int8 or float32, ONNX graphs that read them, compared with torch.

The folder appears under its name when everything in it was found to agree; until then it is a temporary one.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2vsearch.artifacts import TEMPORARY_PREFIX, storage_errors
from c2vsearch.encoder.onnx_runtime import PRECISIONS, OnnxEncoder
from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.errors import DataError, InvalidConfig
from c2vsearch.model import checkpoint
from c2vsearch.model.profile import PROFILE_FILE
from c2vsearch.model.spec import CONFIG_FILE, read_spec
from c2vsearch.model.token_codec import CODEC_FILE
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.model.weights import WEIGHTS_FILE, parameter_count, stored_dtype
from c2vsearch.optional import require

MAX_PARAMETERS = 1_000_000_000  # beyond it a CPU takes seconds a text, and a graph helps nobody
GRAPH_TOLERANCE = 1e-4  # of a number of an embedding, float32 graph against torch on the same weights
LEAST_COSINE = 0.95  # of an embedding to that of the model as it was
CARRIED = (PROFILE_FILE, CODEC_FILE, "README.md", "LICENSE", "modules.json", "config_sentence_transformers.json")
TEXTS = (
    "x",
    "The ferry leaves at nine in the morning, and the last one back at half past six.",
    "def area(width, height):\n    return width * height  # square metres\n",
    "Die Fähre legt um neun Uhr ab. 船は九時に出ます。",
    "Expenses are paid within thirty days of the claim, with receipts for everything above ten pounds. " * 8,
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near a graph is to torch over a handful of texts, as documents and as queries.

    ``difference`` is the largest of a number of an embedding, on the weights as they were exported; ``cosine`` the
    smallest, to the model before its weights were quantised.
    """

    precision: str
    difference: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and how it agrees."""

    folder: Path
    revision: str
    parameters: int
    bytes: int
    agreements: tuple[Agreement, ...]


def export_model(
    model: str | Path, *, out: Path, precisions: Sequence[str] = PRECISIONS, least_cosine: float = LEAST_COSINE,
    finish: Callable[[Path], None] | None = None,
) -> Export:  # fmt: skip
    """Write a folder that runs on ONNX Runtime as well as on torch.

    Weights are stored in int8, with a scale per channel, if one of the precisions is int8, and in float32 otherwise.
    An int8 weight file is taken over as it is.

    Args:
        model: A bundled model by name, or a model folder.
        out: Where the folder goes; it must not exist.
        precisions: Of the graphs.
        least_cosine: What an exported embedding must reach beside the model's own.
        finish: Writes what else the folder shall have, before it gets its name.

    Raises:
        InvalidConfig: The model is too large, has a part without a graph, or ``out`` exists.
        DataError: A graph does not agree with torch. Nothing is left behind.
    """
    for module in ("torch", "transformers", "onnx"):
        require(module, extra="train", purpose="exporting a model")
    from c2vsearch.model.onnx_graph import check_exportable

    source = checkpoint.find_model(model)
    spec = read_spec(source)
    _check_request(precisions, out)
    check_exportable(spec)
    count = parameter_count(source)
    if count > MAX_PARAMETERS:
        raise InvalidConfig(
            f"{spec.name} has {count / 1e6:,.0f} million parameters; expected at most {MAX_PARAMETERS / 1e6:,.0f} "
            "million for export: use the torch runtime for this model, on a GPU"
        )
    temporary = out.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}-{out.name}"
    try:
        with storage_errors():
            out.parent.mkdir(parents=True, exist_ok=True)
            _write(source, temporary, precisions)
            agreements = _compare(source, temporary, precisions, least_cosine)
            if finish is not None:
                finish(temporary)
            os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.iterdir())
    return Export(out, checkpoint.revision(out), count, size, agreements)


def _check_request(precisions: Sequence[str], out: Path) -> None:
    unknown = [precision for precision in precisions if precision not in PRECISIONS]
    if unknown or not precisions:
        raise InvalidConfig(f"precision is {', '.join(unknown) or 'empty'!r}; expected of {', '.join(PRECISIONS)}")
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise InvalidConfig(f"{out} exists; expected a place where nothing is: give another --out, or remove it")


def _write(source: Path, target: Path, precisions: Sequence[str]) -> None:
    from c2vsearch.model.onnx_graph import write_graphs

    spec = read_spec(source)
    if "int8" in precisions and stored_dtype(source) == "I8":
        target.mkdir()
        for name in (CONFIG_FILE, WEIGHTS_FILE, *checkpoint.TOKENIZER_FILES):
            if (source / name).is_file():
                shutil.copyfile(source / name, target / name)
    else:
        import torch

        tokenizer = TextTokenizer.open(source, spec)
        model = checkpoint.load(source, dtype=torch.float32)
        checkpoint.save(model, target, tokenizers=tokenizer, int8="int8" in precisions, one_file=True)
    for name in CARRIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    write_graphs(target, spec, precisions=precisions)


def _compare(source: Path, target: Path, precisions: Sequence[str], least_cosine: float) -> tuple[Agreement, ...]:
    """Each graph against torch.

    Raises:
        DataError: One is too far away.
    """
    original, exported = (_rows(TorchEncoder(folder, device="cpu", precision="fp32")) for folder in (source, target))
    agreements = []
    for precision in (name for name in PRECISIONS if name in precisions):
        rows = _rows(OnnxEncoder(target, precision=precision, threads=1))
        found = Agreement(precision, float(np.abs(rows - exported).max()), float((rows * original).sum(axis=1).min()))
        if precision == "fp32" and not found.difference <= GRAPH_TOLERANCE:
            raise DataError(
                f"the fp32 graph differs from torch by {found.difference:.1e}; expected at most {GRAPH_TOLERANCE:.0e}: "
                "nothing was written; use the torch runtime for this model"
            )
        if not found.cosine >= least_cosine:
            raise DataError(
                f"embeddings of the {precision} graph have a cosine of {found.cosine:.4f} to the model's own; expected "
                f"at least {least_cosine}: nothing was written; "
                + ("export with --precision fp32" if "int8" in precisions else "use the torch runtime for this model")
            )
        agreements.append(found)
    return tuple(agreements)


def _rows(encoder: TorchEncoder | OnnxEncoder) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The texts as documents and as queries. Shape: (2 * texts, D)."""
    return np.concatenate([encoder.encode_documents(TEXTS), encoder.encode_queries(TEXTS)])
