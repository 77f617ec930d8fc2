"""The weight file of a model folder: safetensors, either as trained (float) or int8 with a scale per channel.

In the int8 form a matrix ``X.weight`` (out, in) is stored transposed, (in, out), as int8 beside
``X.weight_scale`` (out,): the layout the ONNX graph reads in place. Embedding tables keep their layout and
have a scale per row. Everything else stays float32. One file serves both runtimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile

WEIGHTS_FILE = "model.safetensors"
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


def write_weights(folder: Path, tensors: Mapping[str, Array], *, int8: bool) -> None:
    """Write the weight file of a folder."""
    from safetensors.numpy import save_file

    stored = to_int8(tensors) if int8 else {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(stored, folder / WEIGHTS_FILE, metadata=QUANTIZED if int8 else {"quantization": "none"})
    (folder / WEIGHTS_FILE).chmod(0o644)  # safetensors makes it private; a model is read by everyone who installs it


def read_weights(folder: Path) -> dict[str, Array]:
    """The float state of a folder's weight file.

    Raises:
        CorruptFile: The file is missing or is not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return to_float(load_file(folder / WEIGHTS_FILE))
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise CorruptFile(f"{folder / WEIGHTS_FILE} cannot be read: {error}") from error


def tensor_places(folder: Path) -> dict[str, tuple[str, list[int], int, int]]:
    """Where each tensor lies in the weight file: name -> (dtype, shape, byte offset, bytes)."""
    import json

    with (folder / WEIGHTS_FILE).open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    header.pop("__metadata__", None)
    base = 8 + header_bytes
    return {
        name: (
            entry["dtype"],
            entry["shape"],
            base + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }
