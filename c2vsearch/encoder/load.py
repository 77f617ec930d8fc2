"""An encoder by name or path, on the runtime that fits what is installed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal

from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.encoder.hashing import HashEncoder
from c2vsearch.encoder.protocol import Encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.model.checkpoint import find_model, graph_path

Runtime = Literal["auto", "onnx", "torch"]
RUNTIMES = ("auto", "onnx", "torch")


def load_encoder(
    name_or_path: str | Path = DEFAULT_MODEL, *, runtime: Runtime = "auto", precision: Literal["int8", "fp32"] = "int8",
    device: str = "auto", threads: int = 0,
) -> Encoder:  # fmt: skip
    """Open a model: the bundled ``c2v-mini``, a model folder, or one of another maker.

    ``st:NAME_OR_PATH`` is any sentence-transformers model, ``openai:URL#MODEL`` any OpenAI-compatible endpoint, and
    ``hash`` the fake for tests.

    Runtime "auto" takes ONNX Runtime where the folder has its graphs and the package is installed, unless a
    CUDA device is asked for; torch otherwise. ``threads`` 0 is every core this process may use.

    Raises:
        ModelNotFound: No such model.
        MissingDependency: The runtime it needs is not installed.
        EndpointFailed: An endpoint refuses, when it is first asked.

    >>> load_encoder("hash").encode_queries(["hello"]).shape
    (1, 64)
    """
    if runtime not in RUNTIMES:
        raise InvalidConfig(f"runtime is {runtime!r}; expected one of {', '.join(RUNTIMES)}")
    if name_or_path == "hash":
        return HashEncoder()
    if (adapter := _adapter(str(name_or_path), device)) is not None:
        return adapter
    folder = find_model(name_or_path)
    if runtime == "auto":
        runtime = _choose_runtime(folder, device)
    if runtime == "onnx":
        from c2vsearch.encoder.onnx_runtime import OnnxEncoder

        return OnnxEncoder(folder, precision=precision, threads=threads or usable_cores())
    from c2vsearch.encoder.torch_runtime import TorchEncoder

    return TorchEncoder(folder, device=device)


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


def _choose_runtime(folder: Path, device: str) -> Runtime:
    exported = graph_path(folder, "int8").is_file()
    if device.startswith("cuda") or not exported:
        return "torch"
    installed = {name: importlib.util.find_spec(name) is not None for name in ("onnxruntime", "torch")}
    # With neither installed, onnxruntime is the one to name: it is the smaller of the two.
    return "torch" if installed["torch"] and not installed["onnxruntime"] else "onnx"
