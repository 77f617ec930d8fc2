"""A model as one folder: ``config.json``, the weights, the tokenizers; with ONNX graphs when it has been exported.

The revision of a model is a hash over the files that decide its vectors. No pickle, no code is loaded.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from c2vsearch.artifacts import checksum
from c2vsearch.errors import CorruptFile, ModelNotFound
from c2vsearch.model.spec import CONFIG_FILE, ModelSpec, read_spec
from c2vsearch.model.tokens import DECODER_TOKENIZER, ENCODER_TOKENIZER, SHARED_TOKENIZER, TextTokenizer
from c2vsearch.model.weights import weight_files, write_int8

if TYPE_CHECKING:
    import torch

    from c2vsearch.model.causal2vec import Causal2Vec

BUNDLED = Path(__file__).parent / "bundled"
TOKENIZER_FILES = (SHARED_TOKENIZER, ENCODER_TOKENIZER, DECODER_TOKENIZER)


def find_model(name_or_path: str | Path) -> Path:
    """The folder of a bundled model by name, or of any model by path.

    Raises:
        ModelNotFound: Neither a bundled name nor a folder with a ``config.json``.
    """
    for folder in (BUNDLED / str(name_or_path), Path(name_or_path)):
        if (folder / CONFIG_FILE).is_file():
            return folder
    bundled = ", ".join(sorted(path.name for path in BUNDLED.iterdir())) if BUNDLED.is_dir() else "none"
    raise ModelNotFound(
        f"no model {str(name_or_path)!r}; expected a bundled name ({bundled}) or the folder of a Causal2Vec model"
    )


def graph_path(folder: Path, precision: str, *, states: bool = False) -> Path:
    """Where an exported model keeps its ONNX graph of a precision ("int8" or "fp32"), or that of its encoder alone."""
    return folder / f"model-{precision}{'-states' if states else ''}.onnx"


def revision(folder: Path) -> str:
    """A hash over configuration, tokenizers and weights: equal revisions give equal vectors."""
    digest = hashlib.sha256()
    for path in (*(folder / name for name in (CONFIG_FILE, *TOKENIZER_FILES)), *weight_files(folder)):
        if path.is_file():
            digest.update(f"{path.name}:{checksum(path)}\n".encode())
    return digest.hexdigest()[:16]


def save(
    model: Causal2Vec, folder: Path, *, tokenizers: Path | TextTokenizer, int8: bool = False,
    dtype: torch.dtype | None = None, one_file: bool = False,
) -> None:  # fmt: skip
    """Write a model folder.

    Args:
        model: Its weights are written as they are, in shards when they are large. Tied token embeddings once.
        folder: Made when it is not there.
        tokenizers: The tokenizers, or a folder with ``tokenizer.json`` or one for each half.
        int8: Store matrices in int8 with a scale per channel.
        dtype: Another dtype for float weights, such as ``torch.bfloat16``.
        one_file: No shards, whatever the size: ONNX graphs read one file.
    """
    from c2vsearch.model.tensors import SHARD_BYTES, write_tensors

    folder.mkdir(parents=True, exist_ok=True)
    for graph in folder.glob(graph_path(folder, "*").name):
        graph.unlink()  # it reads the weights of an older state by their place in the file
    tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if model.spec.tied_token_embeddings:
        tensors.pop(_token_table(model))
    if int8:
        write_int8(folder, {name: tensor.float().cpu().numpy() for name, tensor in tensors.items()})
    else:
        write_tensors(folder, tensors, dtype=dtype, shard_bytes=2**63 if one_file else SHARD_BYTES)
    (folder / CONFIG_FILE).write_text(model.spec.to_json(), encoding="utf-8")
    if isinstance(tokenizers, TextTokenizer):
        tokenizers.save(folder)
        return
    for name in TOKENIZER_FILES:
        if (tokenizers / name).is_file() and tokenizers != folder:
            shutil.copyfile(tokenizers / name, folder / name)


def load(folder: Path, *, dtype: torch.dtype | None = None) -> Causal2Vec:
    """Build the module of a folder and fill it, in evaluation mode and in float32 unless another dtype is given.

    The module is filled tensor by tensor from the files: the weights are in memory once.

    Raises:
        CorruptFile: The weights are damaged or do not fit the configuration.
    """
    import torch
    from transformers.initialization import no_init_weights

    from c2vsearch.model.causal2vec import Causal2Vec
    from c2vsearch.model.tensors import read_tensors

    spec: ModelSpec = read_spec(folder)
    with no_init_weights():
        model = Causal2Vec(spec, dtype=dtype or torch.float32)
    empty = model.state_dict()
    if spec.tied_token_embeddings:
        empty.pop(_token_table(model))
    unexpected = []
    for name, tensor in read_tensors(folder):
        target = empty.pop(name, None)
        if target is None or target.shape != tensor.shape:
            unexpected.append(f"{name} {tuple(tensor.shape)}")
        else:
            target.copy_(tensor)
    if empty or unexpected:
        raise CorruptFile(
            f"the weights of {folder} do not fit its {CONFIG_FILE}: missing {sorted(empty)[:3]}, "
            f"unexpected {unexpected[:3]}"
        )
    model.eval()
    return model


def _token_table(model: Causal2Vec) -> str:
    """The name of the decoder's token embeddings, which each architecture calls differently."""
    table = model.decoder.get_input_embeddings().weight
    return next(
        f"decoder.{name}"
        for name, parameter in model.decoder.named_parameters(remove_duplicate=False)
        if parameter is table
    )
