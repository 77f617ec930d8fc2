"""Two pretrained models of ``transformers`` become the halves of one new Causal2Vec model.

Any encoder and any decoder-only language model will do whose tokenizer is a fast one and whose code is part of
``transformers``: code from a model's own folder is never run, and weights are read from safetensors alone. The
language-model head stays behind, tied or not.

What the decoder reads in place of a token is C as the projector makes it: where an architecture scales its token
vectors (Gemma, by the square root of the width) its embedding layer does so and C passes by it; the projector learns
C's scale. (transformers before 5.4 had the decoder scale whatever it was given, which is why 5.4 is asked for.)
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from tokenizers import Tokenizer as FastTokenizer
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from c2vsearch.config import DEFAULT_TASK
from c2vsearch.errors import CorruptFile, InvalidConfig, ModelNotFound
from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.spec import QUERY_TEMPLATE, EncoderPooling, ModelSpec, Pooling, normal_sizes
from c2vsearch.model.tokens import TextTokenizer

DEFAULT_MAX_TOKENS = 512  # the paper's length of training and evaluation (section 4.1)
INSTRUCTION_SHARE = 4  # of the decoder's positions, one in four is kept for an instruction when none is said
# Facts about where a configuration came from and how it was last used, not about the architecture.
NOT_ARCHITECTURE = {
    "_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "id2label",
    "label2id", "problem_type", "return_dict", "output_attentions", "output_hidden_states", "use_cache",
}  # fmt: skip


def from_backbones(  # noqa: PLR0913  (a public door: every argument is a named choice)
    encoder: str | Path, decoder: str | Path, *, name: str, max_tokens: int | None = None,
    encoder_pooling: EncoderPooling = "mean", pooling: Pooling = "concat", context_first: bool = False,
    projector_residual: bool = False, query_template: str = QUERY_TEMPLATE,
    document_template: str = "", default_task: str = DEFAULT_TASK,
    dtype: torch.dtype = torch.float32, encoder_dtype: torch.dtype | None = None,
) -> tuple[Causal2Vec, TextTokenizer]:  # fmt: skip
    """Build an untrained model: pretrained halves and a new projector.

    Args:
        encoder: Folder or hub name of a BERT-type encoder (BERT, MiniLM, E5, XLM-R, ModernBERT ...).
        decoder: Folder or hub name of a decoder-only language model (Llama, Mistral, Qwen3, Gemma, GPT-2 ...).
        name: What the model is called in fingerprints.
        max_tokens: Longest text in one pass; by default what both halves have positions for, at most 512.
        encoder_pooling: How the encoder's states become its text vector.
        pooling: What the embedding is made of.
        context_first: C before the instruction instead of after it.
        projector_residual: The projector adds to the encoder's vector; both halves must be equally wide.
        query_template: What stands before a query; ``{task}`` is the instruction.
        document_template: What stands before a document.
        default_task: The instruction when none is given.
        dtype: Of all weights.
        encoder_dtype: Of the encoder and the projector, when theirs is another than the decoder's.

    Raises:
        ModelNotFound: A half cannot be loaded: no such folder or name, no network, no safetensors, its own code.
        InvalidConfig: The halves cannot be used as asked, such as a slow tokenizer or too many tokens.
        CorruptFile: A half's weights are not all there.

    The decoder's sequence begins with BOS if its tokenizer says so, and ends with the tokenizer's EOS; a decoder
    without one gets a new token, whose vector is the mean of all others. No PAD token is needed.
    """
    _check_kinds(encoder, decoder)
    reading, writing = _load_tokenizer(encoder), _load_tokenizer(decoder)
    first, second = _load_model(encoder, encoder_dtype or dtype), _load_model(decoder, dtype)
    _check_inputs(second, decoder)
    for half, tokenizer in ((first, reading), (second, writing)):
        _cover_vocabulary(half, len(tokenizer))
    end = _end_of_text(second, writing)
    room = (_positions(first) - reading.num_special_tokens_to_add(), _positions(second) - 3)  # C, BOS, EOS
    spec = ModelSpec(
        name=name, encoder=describe(first.config), decoder=describe(second.config),
        max_tokens=_fitting(max_tokens, *room), eos_token_id=end, bos_token_id=_begin_of_text(writing),
        encoder_pooling=encoder_pooling, pooling=pooling, context_first=context_first,
        projector_residual=projector_residual, query_template=query_template, document_template=document_template,
        default_task=default_task,
    )  # fmt: skip
    tokenizers = [FastTokenizer.from_str(half.backend_tokenizer.to_str()) for half in (reading, writing)]
    model = Causal2Vec(spec, encoder=first, decoder=second, dtype=encoder_dtype or dtype)
    return model.eval(), TextTokenizer(spec, encoder=tokenizers[0], decoder=tokenizers[1])


def describe(config: Any) -> dict[str, Any]:
    """The architecture of a ``transformers`` configuration, in full: defaults may change between versions."""
    values = json.loads(config.to_json_string(use_diff=False))
    return {key: value for key, value in values.items() if key not in NOT_ARCHITECTURE}


def with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """The architecture of a half with every default of its type written out."""
    values = dict(config)
    return describe(AutoConfig.for_model(values.pop("model_type"), **values))


def _check_kinds(encoder: str | Path, decoder: str | Path) -> None:
    """Refuse by configuration what cannot be a half, before gigabytes of weights are read."""
    for role, name in (("encoder", encoder), ("decoder", decoder)):
        config = _loading(name, "model", AutoConfig.from_pretrained)
        kind = config.model_type
        if config.is_encoder_decoder:
            raise InvalidConfig(
                f"the {role} {str(name)!r} ({kind}) is an encoder and a decoder in one; expected one half"
            )
        if "hidden_size" not in normal_sizes(describe(config)):
            raise InvalidConfig(f"the {role} {str(name)!r} ({kind}) is not a text model alone; expected one that is")
        if role == "decoder" and kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
            raise InvalidConfig(
                f"the decoder {str(name)!r} is of type {kind}, an encoder; expected a decoder-only language model such "
                "as Llama, Mistral, Qwen3, Gemma or GPT-2"
            )


def _check_inputs(decoder: nn.Module, name: str | Path) -> None:
    if not {"inputs_embeds", "position_ids", "attention_mask"} <= set(inspect.signature(decoder.forward).parameters):
        raise InvalidConfig(
            f"the decoder {str(name)!r} ({decoder.config.model_type}) takes no vectors with a mask and positions, "
            "which C needs; expected one such as Llama, Mistral, Qwen3, Gemma or GPT-2"
        )


def _load_model(name: str | Path, dtype: torch.dtype) -> nn.Module:
    settings = {"dtype": dtype, "use_safetensors": True, "output_loading_info": True}
    model, report = _loading(name, "model", functools.partial(AutoModel.from_pretrained, **settings))
    # A pooler is not used; any other tensor that is not in the files would have been made up.
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing or report["mismatched_keys"]:
        wrong = missing or [str(key) for key in report["mismatched_keys"]]
        raise CorruptFile(
            f"the weights of {str(name)!r} lack {len(wrong)} tensors its configuration asks for, such as {wrong[0]}"
        )
    loaded: nn.Module = model
    return loaded


def _load_tokenizer(name: str | Path) -> Any:
    tokenizer = _loading(name, "tokenizer", AutoTokenizer.from_pretrained)
    if not tokenizer.is_fast:
        raise InvalidConfig(
            f"the tokenizer of {str(name)!r} is a slow one ({type(tokenizer).__name__}); expected a fast one: a folder "
            "with tokenizer.json"
        )
    return tokenizer


def _loading(name: str | Path, what: str, load: Callable[..., Any]) -> Any:
    """Load a part of a folder or of a hub's model; what is cached is opened without a network.

    Raises:
        ModelNotFound: Whatever ``transformers`` raises for a missing or foreign model, in one line.
    """
    place = Path(name)
    if not place.is_dir() and (place.is_absolute() or str(name).startswith((".", "~"))):
        raise ModelNotFound(f"no folder at {str(name)!r}; expected the folder of a transformers model, or a hub name")
    load = functools.partial(load, str(name), trust_remote_code=False)
    try:
        if not place.is_dir() and isinstance(try_to_load_from_cache(str(name), "config.json"), str):
            with contextlib.suppress(OSError):  # a part may be missing in the cache
                return load(local_files_only=True)
        return load(local_files_only=place.is_dir())
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        where = "the folder" if place.is_dir() else "the local cache and the hub, for it is no folder"
        raise ModelNotFound(f"cannot load the {what} of {str(name)!r} from {where}: {reason}") from error


def _positions(model: nn.Module) -> int:
    """Tokens a half has positions for. RoBERTa's begin after the number of its padding token."""
    config = model.config
    positions = int(getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 2**20)
    embeddings = getattr(model, "embeddings", None)
    offset = getattr(embeddings, "padding_idx", None)
    return positions if offset is None else positions - int(offset) - 1


def _fitting(max_tokens: int | None, encoder_room: int, decoder_room: int) -> int:
    if max_tokens is None:
        return min(DEFAULT_MAX_TOKENS, encoder_room, decoder_room - decoder_room // INSTRUCTION_SHARE)
    if max_tokens > (room := min(encoder_room, decoder_room)):
        raise InvalidConfig(
            f"max_tokens is {max_tokens}; expected at most {room}: the encoder has positions for {encoder_room} tokens "
            f"of a text, the decoder for {decoder_room} of instruction and text"
        )
    return max_tokens


def _begin_of_text(tokenizer: Any) -> int | None:
    """BOS if the tokenizer itself puts it before a text."""
    ids = tokenizer("a")["input_ids"]
    return int(ids[0]) if tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id else None


def _end_of_text(decoder: nn.Module, tokenizer: Any) -> int:
    """EOS by the tokenizer, else by the model (which may name several), else a new token."""
    if tokenizer.eos_token_id is not None:
        return int(tokenizer.eos_token_id)
    named = decoder.config.eos_token_id
    candidates = named if isinstance(named, list) else [named]
    rows = decoder.get_input_embeddings().weight.shape[0]
    # A configuration of a foreign vocabulary carries its class's default: only an id of this vocabulary counts.
    known = [int(token) for token in candidates if token is not None and token < min(rows, len(tokenizer))]
    if known and tokenizer.convert_ids_to_tokens(known[0]) in tokenizer.all_special_tokens:
        return known[0]
    new = len(tokenizer)
    _cover_vocabulary(decoder, new + 1)
    table = decoder.get_input_embeddings().weight
    with torch.no_grad():
        table[new] = table[:new].float().mean(dim=0).to(table.dtype)
    return new


def _cover_vocabulary(model: nn.Module, tokens: int) -> None:
    """Give every token of the tokenizer a row; new rows are the mean of the others."""
    rows = model.get_input_embeddings().weight.shape[0]
    if tokens <= rows:
        return
    model.resize_token_embeddings(tokens, mean_resizing=False)
    table = model.get_input_embeddings().weight
    with torch.no_grad():
        table[rows:] = table[:rows].float().mean(dim=0).to(table.dtype)
