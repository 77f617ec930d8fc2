"""An encoder by name or path, on the runtime that fits what is installed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal

from c2vsearch.config import DEFAULT_MODEL, Precision
from c2vsearch.encoder.hashing import HashEncoder
from c2vsearch.encoder.protocol import Encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.model.checkpoint import find_model, graph_path

Runtime = Literal["auto", "onnx", "torch"]
RUNTIMES = ("auto", "onnx", "torch")


def load_encoder(
    name_or_path: str | Path = DEFAULT_MODEL, *, runtime: Runtime = "auto", precision: Precision = "auto",
    device: str = "auto", threads: int = 0, dim: int | None = None,
) -> Encoder:  # fmt: skip
    """Open a model: the bundled ``c2v-mini``, a model folder, or one of another maker.

    ``st:NAME_OR_PATH`` is any sentence-transformers model, ``openai:URL#MODEL`` any OpenAI-compatible endpoint, and
    ``hash`` the fake for tests.

    Args:
        name_or_path: The model.
        runtime: "auto" takes ONNX Runtime where the folder has its graphs and the package is installed, unless a CUDA
            device or bf16 is asked for; torch otherwise.
        precision: "int8" or "fp32" on ONNX Runtime, "fp32" or "bf16" on torch; "auto" is int8 on ONNX Runtime, and on
            torch bf16 for weights stored so on a CUDA device.
        device: Of torch: "auto" is CUDA where there is a device.
        threads: Of ONNX Runtime; 0 is every core this process may use.
        dim: Shorter embeddings, for models trained for it.

    Raises:
        ModelNotFound: No such model.
        MissingDependency: The runtime it needs is not installed.
        InvalidConfig: A setting the runtime or the model does not have.
        EndpointFailed: An endpoint refuses, when it is first asked.

    >>> load_encoder("hash").encode_queries(["hello"]).shape
    (1, 64)
    """
    if runtime not in RUNTIMES:
        raise InvalidConfig(f"runtime is {runtime!r}; expected one of {', '.join(RUNTIMES)}")
    if name_or_path == "hash":
        return HashEncoder() if dim is None else HashEncoder(dim=dim)
    if (adapter := _adapter(str(name_or_path), device)) is not None:
        return adapter
    folder = find_model(name_or_path)
    if runtime == "auto":
        runtime = _choose_runtime(folder, device, precision)
    if runtime == "onnx":
        from c2vsearch.encoder.onnx_runtime import OnnxEncoder

        return OnnxEncoder(
            folder, precision=_graph_precision(folder, precision), threads=threads or usable_cores(), dim=dim
        )
    from c2vsearch.encoder.torch_runtime import TorchEncoder

    return TorchEncoder(folder, device=device, precision=precision, dim=dim)


def _adapter(name: str, device: str) -> Encoder | None:
    """An encoder of another maker, chosen by the prefix of its name."""
    if name.startswith("st:"):
        from c2vsearch.encoder.sentence_transformers import SentenceTransformersEncoder

        return SentenceTransformersEncoder(name.removeprefix("st:"), device=device)
    if name.startswith("openai:"):
        from c2vsearch.encoder.openai import OpenAIEncoder

        return OpenAIEncoder(name)
    return None


def usable_cores() -> int:
    """The cores this process may run on, which a container may have limited."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _graph_precision(folder: Path, precision: str) -> str:
    """The graph to take: int8, unless another is asked for or only fp32 was exported."""
    if precision != "auto":
        return precision
    return "fp32" if graph_path(folder, "fp32").is_file() and not graph_path(folder, "int8").is_file() else "int8"


def _choose_runtime(folder: Path, device: str, precision: str) -> Runtime:
    exported = graph_path(folder, _graph_precision(folder, precision)).is_file()
    if device.startswith("cuda") or not exported:
        return "torch"
    installed = {name: importlib.util.find_spec(name) is not None for name in ("onnxruntime", "torch")}
    # With neither installed, onnxruntime is the one to name: it is the smaller of the two.
    return "torch" if installed["torch"] and not installed["onnxruntime"] else "onnx"
