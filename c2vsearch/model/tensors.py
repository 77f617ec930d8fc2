"""The weights of a model folder as torch tensors, one after the other: any dtype, any size, in memory once.

Float weights keep their dtype. What is larger than one shard is split as ``transformers`` does it:
``model-00001-of-00003.safetensors`` and so on, beside an index that names the shard of each tensor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from c2vsearch.errors import CorruptFile
from c2vsearch.model.weights import INDEX_FILE, SCALE_SUFFIX, WEIGHTS_FILE, is_embedding, remove_weights, weight_files

SHARD_BYTES = 5_000_000_000


def write_tensors(
    folder: Path, tensors: Mapping[str, Tensor], *, dtype: torch.dtype | None = None, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write float weights, as they are or in a dtype, in place of what a folder had.

    At most one shard is in memory beside the weights themselves.
    """
    sizes = {key: tensor.numel() * (dtype or tensor.dtype).itemsize for key, tensor in tensors.items()}
    shards = _shards(sizes, shard_bytes)
    names = (
        [WEIGHTS_FILE]
        if len(shards) == 1
        else [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
    )
    remove_weights(folder)
    for name, shard in zip(names, shards, strict=True):
        chosen = {key: tensors[key].detach().to(dtype or tensors[key].dtype).cpu().contiguous() for key in shard}
        save_file(chosen, folder / name, metadata={"format": "pt", "quantization": "none"})
        (folder / name).chmod(0o644)
    if len(names) > 1:
        places = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": dict(sorted(places.items()))}
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def read_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor, in the layout of the modules; int8 weights come as float32.

    Raises:
        CorruptFile: A file is missing or is not safetensors.
    """
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                names = set(file.keys())
                for name in sorted(names):
                    if name.endswith(SCALE_SUFFIX):
                        continue
                    tensor = file.get_tensor(name)
                    scale = file.get_tensor(name + SCALE_SUFFIX) if name + SCALE_SUFFIX in names else None
                    yield name, tensor if scale is None else _dequantized(name, tensor, scale)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CorruptFile(f"{path} cannot be read: {error}") from error


def _dequantized(name: str, values: Tensor, scale: Tensor) -> Tensor:
    floats = values.to(torch.float32)
    return floats * scale[:, None] if is_embedding(name) else (floats * scale).T


def _shards(sizes: Mapping[str, int], limit: int) -> list[list[str]]:
    """Names in order, a new shard where the limit would be passed."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if shards[-1] and filled + size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards
