"""A model of ``transformers`` by folder or hub name: what it is, its tokenizer, its weights.

Code that a folder brings along is never run, and weights are read from safetensors alone. What is cached is opened
without a network.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2vsearch.errors import CorruptFile, InvalidConfig, ModelNotFound, OutOfDeviceMemory
from c2vsearch.model.quiet import quiet_transformers
from c2vsearch.optional import hushed, require

NO_LIMIT = 1_000_000  # tokenizers without a limit say 1e30
MOST_TOKENS = 8192  # of one sequence, whatever a model could read
# Positions of these begin after the number of the padding token.
COUNTS_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer")


@dataclass(frozen=True)
class Pretrained:
    """A model that was found, before its weights are read."""

    name: str
    config: Any
    tokenizer: Any
    device: str

    @property
    def architectures(self) -> tuple[str, ...]:
        """The classes of ``transformers`` it was saved as, such as "BertForSequenceClassification"."""
        return tuple(self.config.architectures or ())

    @property
    def max_tokens(self) -> int:
        """Tokens of one sequence, special tokens included."""
        positions = getattr(self.config, "max_position_embeddings", None) or getattr(self.config, "n_positions", None)
        if positions and self.config.model_type in COUNTS_FROM_PADDING:
            positions -= (self.config.pad_token_id or 0) + 1
        limits = [positions, self.tokenizer.model_max_length]
        return min([MOST_TOKENS, *(int(limit) for limit in limits if limit and 0 < limit < NO_LIMIT)])

    @property
    def padding_id(self) -> int:
        """What fills a sequence up; what it is hardly matters, because padding is masked."""
        known = (self.tokenizer.pad_token_id, self.config.pad_token_id, self.tokenizer.eos_token_id)
        return next((int(token) for token in known if isinstance(token, int)), 0)

    def weights(self, kind: str) -> Any:
        """The model, by the name of one of the ``AutoModel`` classes, ready to be asked.

        Raises:
            ModelNotFound: There are no weights, or none in safetensors.
            CorruptFile: Some are missing, and would have been made up.
            OutOfDeviceMemory: The device cannot hold them.
        """
        import torch
        import transformers

        load = functools.partial(
            getattr(transformers, kind).from_pretrained, config=self.config, use_safetensors=True,
            output_loading_info=True, dtype=torch.float32 if self.device == "cpu" else "auto",
        )  # fmt: skip
        try:
            model, report = _loading(self.name, "weights", load)
            wrong = sorted(report["missing_keys"]) or sorted(str(key) for key in report["mismatched_keys"])
            if wrong:
                raise CorruptFile(f"the weights of {self.name!r} lack {len(wrong)} tensors, such as {wrong[0]}")
            return model.eval().to(self.device)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfDeviceMemory(
                f"{self.device} cannot hold the reranker {self.name!r}; take a smaller one, or search without one"
            ) from error


def find_pretrained(name_or_path: str | Path, *, device: str = "auto") -> Pretrained:
    """A folder, or a name on the Hugging Face hub.

    Raises:
        ModelNotFound: Neither; the message has the reason.
        MissingDependency: torch or transformers is not installed.
        InvalidConfig: A device that is not there.
    """
    for module in ("torch", "transformers"):
        require(module, extra="torch", purpose=f"the reranker {name_or_path}")
    from transformers import AutoConfig, AutoTokenizer

    place = Path(name_or_path).expanduser()
    name = str(place) if place.is_dir() else str(name_or_path)
    config = _loading(name, "configuration", AutoConfig.from_pretrained)
    tokenizer = _loading(name, "tokenizer", AutoTokenizer.from_pretrained)
    return Pretrained(name, config, tokenizer, _device(device))


def clipped(tokenizer: Any, text: str, max_tokens: int) -> str:
    """The beginning of a text, of about so many tokens; all of it where it is shorter.

    No tokenizer in use makes more tokens than bytes: short texts are not tokenised to be measured.
    """
    if len(text.encode("utf-8", "replace")) <= max_tokens:
        return text
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    if len(ids) <= max_tokens:
        return text
    return str(tokenizer.decode(ids[:max_tokens], skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _reach_hub(name: str) -> None:
    """Fail at once where there is no network; file by file it would be tried again and again."""
    from huggingface_hub import model_info
    from huggingface_hub.errors import HfHubHTTPError

    try:
        model_info(name, timeout=10)
    except (HfHubHTTPError, ValueError):
        return  # the hub answers, or it is no name it could have: what is wrong is said again when it is loaded
    except Exception as error:  # of whichever HTTP library the hub's package uses
        raise OSError(f"the hub cannot be reached ({error})") from error


def _device(device: str) -> str:
    import torch

    available = torch.cuda.is_available()
    if device.startswith("cuda") and not available:
        raise InvalidConfig(f"device is {device!r} and torch sees no CUDA device; run `c2vsearch doctor`")
    return ("cuda" if available else "cpu") if device == "auto" else device


def _loading(name: str, what: str, load: Callable[..., Any]) -> Any:
    """Load a part of a folder, of the cache, or of the hub.

    Raises:
        ModelNotFound: Whatever ``transformers`` raises for a missing or foreign model, in one line.
    """
    from huggingface_hub import try_to_load_from_cache

    local = Path(name).is_dir()
    if not local and (Path(name).is_absolute() or name.startswith((".", "~"))):
        raise ModelNotFound(f"no folder at {name!r}; expected the folder of a reranker, or its name on the hub")
    load = functools.partial(load, name, trust_remote_code=False)
    try:
        with quiet_transformers(), hushed("huggingface_hub"), hushed("transformers"):
            if not local and isinstance(try_to_load_from_cache(name, "config.json"), str):
                with contextlib.suppress(OSError):  # a part may be missing in the cache
                    return load(local_files_only=True)
            if not local:
                _reach_hub(name)
            return load(local_files_only=local)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0][:200]
        where = "the folder" if local else "the cache and the hub, for it is no folder"
        raise ModelNotFound(f"cannot load the {what} of the reranker {name!r} from {where}: {reason}") from error
