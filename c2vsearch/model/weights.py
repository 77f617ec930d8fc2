"""The weight file of a model folder: safetensors, either as trained (float) or int8 with a scale per channel.

In the int8 form a matrix ``X.weight`` (out, in) is stored transposed, (in, out), as int8 beside
``X.weight_scale`` (out,): the layout the ONNX graph reads in place. Embedding tables keep their layout and
have a scale per row. Everything else stays float32. One file serves both runtimes. Large float weights lie in several
files (`c2vsearch.model.tensors`). Needs no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SHARD_PATTERN = "model-*-of-*.safetensors"
SCALE_SUFFIX = "_scale"
QUANTIZED = {"quantization": "int8-per-channel"}

Array = NDArray[Any]


def quantize(weight: Array, *, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 with one scale for each index of ``axis``.

    >>> values, scale = quantize(np.array([[1.0, -2.0], [0.5, 0.25]]), axis=0)
    >>> values.tolist(), [f"{step:.4f}" for step in scale]
    ([[64, -127], [127, 64]], ['0.0157', '0.0039'])
    """
    peak = np.abs(weight).max(axis=1 - axis)
    scale = np.where(peak > 0, peak / 127.0, 1.0).astype(np.float32)
    values = np.rint(weight / np.expand_dims(scale, 1 - axis)).clip(-127, 127)
    return values.astype(np.int8), scale


def is_embedding(name: str) -> bool:
    """Tables of token vectors are read by row, not multiplied."""
    return name.endswith(("word_embeddings.weight", "embed_tokens.weight"))


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Matrices worth a quarter of their size; position tables and vectors stay float32."""
    return (
        len(shape) == 2
        and name.endswith(".weight")
        and not name.endswith(("position_embeddings.weight", "token_type_embeddings.weight"))
    )


def to_int8(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The int8 form of a float state."""
    stored: dict[str, Array] = {}
    for name, tensor in tensors.items():
        if not is_matrix(name, tensor.shape):
            stored[name] = np.ascontiguousarray(tensor, dtype=np.float32)
        elif is_embedding(name):
            stored[name], stored[name + SCALE_SUFFIX] = quantize(tensor, axis=0)
        else:
            stored[name], stored[name + SCALE_SUFFIX] = quantize(np.ascontiguousarray(tensor.T), axis=1)
    return stored


def to_float(stored: Mapping[str, Array]) -> dict[str, Array]:
    """The float state of either form, in the layout of the modules."""
    tensors: dict[str, Array] = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE_SUFFIX):
            continue
        if tensor.dtype != np.int8:
            tensors[name] = tensor
        elif is_embedding(name):
            tensors[name] = tensor * stored[name + SCALE_SUFFIX][:, None]
        else:
            tensors[name] = np.ascontiguousarray((tensor * stored[name + SCALE_SUFFIX]).T)
    return tensors


def write_int8(folder: Path, tensors: Mapping[str, Array]) -> None:
    """Write the int8 form of a float state, in place of what a folder had."""
    from safetensors.numpy import save_file

    remove_weights(folder)
    save_file(to_int8(tensors), folder / WEIGHTS_FILE, metadata=QUANTIZED)
    (folder / WEIGHTS_FILE).chmod(0o644)  # safetensors makes it private; a model is read by everyone who installs it


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder, in order.

    Raises:
        CorruptFile: There are none, or the index of the shards names one that is missing.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    index = folder / INDEX_FILE
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CorruptFile(f"{folder} has neither {WEIGHTS_FILE} nor a readable {INDEX_FILE}: {error}") from error
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise CorruptFile(
                f"{index} names {name!r}, which is not a file of {folder}; expected every shard beside it"
            )
    return [folder / name for name in names]


def remove_weights(folder: Path) -> None:
    """Remove every weight file of a folder, so that no shard of an older state stays behind."""
    for path in (folder / WEIGHTS_FILE, folder / INDEX_FILE, *folder.glob(SHARD_PATTERN)):
        path.unlink(missing_ok=True)


def tensor_places(folder: Path) -> dict[str, tuple[str, list[int], int, int]]:
    """Where each tensor lies in the one weight file: name -> (dtype, shape, byte offset, bytes)."""
    header, base = _header(folder / WEIGHTS_FILE)
    return {
        name: (
            entry["dtype"],
            entry["shape"],
            base + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }


def stored_dtype(folder: Path) -> str:
    """The dtype most bytes of a folder's weights have, in safetensors' words: "F32", "BF16", "I8" ..."""
    counts: dict[str, int] = {}
    for path in weight_files(folder):
        for entry in _header(path)[0].values():
            size = entry["data_offsets"][1] - entry["data_offsets"][0]
            counts[entry["dtype"]] = counts.get(entry["dtype"], 0) + size
    return max(counts, key=lambda dtype: counts[dtype])


def parameter_count(folder: Path) -> int:
    """Numbers in a folder's weights, the scales of int8 left out."""
    total = 0
    for path in weight_files(folder):
        header, _ = _header(path)
        total += sum(math.prod(entry["shape"]) for name, entry in header.items() if not name.endswith(SCALE_SUFFIX))
    return total


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin."""
    try:
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            if header_bytes > path.stat().st_size:
                raise ValueError(f"a header of {header_bytes} bytes")
            header = json.loads(file.read(header_bytes))
    except (OSError, ValueError) as error:
        raise CorruptFile(f"{path} cannot be read as safetensors: {error}") from error
    header.pop("__metadata__", None)
    return header, 8 + header_bytes
