"""A reranker by name or path, of the kind its configuration says it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from c2vsearch.errors import InvalidConfig
from c2vsearch.rerankers.cross_encoder import CrossEncoder
from c2vsearch.rerankers.listwise import ListwiseReranker
from c2vsearch.rerankers.pretrained import Pretrained, find_pretrained
from c2vsearch.rerankers.protocol import Reranker
from c2vsearch.rerankers.yes_no import YesNoReranker

KINDS: dict[str, Callable[[Pretrained], Reranker]] = {
    "cross": CrossEncoder,
    "yesno": YesNoReranker,
    "listwise": ListwiseReranker,
}


def load_reranker(name_or_path: str | Path, *, device: str = "auto") -> Reranker:
    """Open a reranker: a folder, or a name on the Hugging Face hub.

    A model for sequence classification is a cross-encoder; a causal language model is asked for yes or no, as
    Qwen3-Reranker is. ``listwise:NAME_OR_PATH`` has any causal language model put texts in order. ``cross:`` and
    ``yesno:`` say which kind it is where its configuration does not.

    Args:
        name_or_path: The model.
        device: "auto" is CUDA where torch sees a device.

    Raises:
        ModelNotFound: No such model, or one without safetensors.
        MissingDependency: torch or transformers is not installed.
        InvalidConfig: It is no reranker.
        CorruptFile: Its weights are not all there.
        OutOfDeviceMemory: The device cannot hold it.

    >>> load_reranker("./no/such/folder")
    Traceback (most recent call last):
    ...
    c2vsearch.errors.ModelNotFound: no folder at './no/such/folder'; expected the folder of a reranker, or its name on
    the hub
    """
    kind, colon, name = str(name_or_path).partition(":")
    if not colon or kind not in KINDS:
        kind, name = "", str(name_or_path)
    model = find_pretrained(name, device=device)
    return KINDS[kind or kind_of(name, model.architectures)](model)


def kind_of(name: str, architectures: tuple[str, ...]) -> str:
    """What a model is by the classes it was saved as.

    Raises:
        InvalidConfig: Neither a cross-encoder nor a causal language model.

    >>> kind_of("bge", ("XLMRobertaForSequenceClassification",)), kind_of("qwen", ("Qwen3ForCausalLM",))
    ('cross', 'yesno')
    """
    for ending, kind in (("ForSequenceClassification", "cross"), ("ForCausalLM", "yesno"), ("LMHeadModel", "yesno")):
        if any(each.endswith(ending) for each in architectures):
            return kind
    raise InvalidConfig(
        f"{name!r} is no reranker but {', '.join(architectures) or 'a model of no named class'}; expected a model for "
        "sequence classification (a cross-encoder) or a causal language model"
    )
