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
from c2vsearch.model.weights import WEIGHTS_FILE, read_weights, write_weights

if TYPE_CHECKING:
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


def graph_path(folder: Path, precision: str) -> Path:
    """Where an exported model keeps its ONNX graph of a precision ("int8" or "fp32")."""
    return folder / f"model-{precision}.onnx"


def revision(folder: Path) -> str:
    """A hash over configuration, tokenizers and weights: equal revisions give equal vectors."""
    digest = hashlib.sha256()
    for name in (CONFIG_FILE, *TOKENIZER_FILES, WEIGHTS_FILE):
        if (folder / name).is_file():
            digest.update(f"{name}:{checksum(folder / name)}\n".encode())
    return digest.hexdigest()[:16]


def save(model: Causal2Vec, folder: Path, *, tokenizers: Path | TextTokenizer, int8: bool = False) -> None:
    """Write a model folder; ``tokenizers`` may be a folder with ``tokenizer.json`` or one for each half.

    Tied token embeddings are stored once. ``int8`` stores matrices with a scale per channel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().float().cpu().numpy() for name, tensor in model.state_dict().items()}
    if model.spec.tied_token_embeddings:
        tensors.pop(_token_table(model))
    write_weights(folder, tensors, int8=int8)
    (folder / CONFIG_FILE).write_text(model.spec.to_json(), encoding="utf-8")
    if isinstance(tokenizers, TextTokenizer):
        tokenizers.save(folder)
        return
    for name in TOKENIZER_FILES:
        if (tokenizers / name).is_file() and tokenizers != folder:
            shutil.copyfile(tokenizers / name, folder / name)


def load(folder: Path) -> Causal2Vec:
    """Build the module of a folder and fill it, in float32 and in evaluation mode.

    Raises:
        CorruptFile: The weights are damaged or do not fit the configuration.
    """
    import torch

    from c2vsearch.model.causal2vec import Causal2Vec

    spec: ModelSpec = read_spec(folder)
    model = Causal2Vec(spec)
    tensors = {name: torch.from_numpy(tensor) for name, tensor in read_weights(folder).items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    if spec.tied_token_embeddings:
        missing = [name for name in missing if name != _token_table(model)]
    if missing or unexpected:
        raise CorruptFile(
            f"{folder / WEIGHTS_FILE} does not fit {CONFIG_FILE}: missing {missing[:3]}, unexpected {unexpected[:3]}"
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
