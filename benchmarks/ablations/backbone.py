"""The language model every variant starts from: a small Llama, trained on prose to predict the next token.

It stands in for the pretrained LLM of the paper. Token vectors are those of the encoder and stay as they are, on
both ends: as input table and as output layer. The loss is a softmax over the batch's own targets and a random
sample of other tokens (the whole vocabulary costs several times the model); the held-out loss is over all tokens.
"""

from __future__ import annotations

import json
import lzma
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, LlamaConfig, LlamaModel

HELD_OUT_BLOCKS = 64
SAVE_EVERY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """Size of the decoder and of its pretraining. Width and vocabulary are the encoder's."""

    layers: int = 2
    heads: int = 6
    intermediate: int = 1024
    steps: int = 500
    blocks: int = 16
    block_tokens: int = 128
    sampled_tokens: int = 4096
    learning_rate: float = 2e-3
    seed: int = 0


def load_encoder(folder: Path, *, random_weights: bool = False) -> torch.nn.Module:
    """A BERT-type encoder from its folder, in float32; with ``random_weights`` only its shape and token vectors."""
    encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False)
    if not random_weights:
        return encoder.eval()
    fresh = AutoModel.from_config(encoder.config, add_pooling_layer=False)
    fresh.get_input_embeddings().weight.data.copy_(encoder.get_input_embeddings().weight.data)
    return fresh.eval()


def load_tokenizer(folder: Path) -> Tokenizer:
    """The encoder's tokenizer, which the decoder shares, cutting and padding nothing."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def make_decoder(config: BackboneConfig, token_vectors: Tensor) -> LlamaModel:
    """A fresh decoder over fixed token vectors (V, H)."""
    torch.manual_seed(config.seed)
    vocabulary, width = token_vectors.shape
    decoder = LlamaModel(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=config.intermediate,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=1024,
        )
    )
    table = decoder.get_input_embeddings()
    table.weight.data.copy_(token_vectors)
    table.weight.requires_grad_(False)
    return decoder


def read_prose(folder: Path) -> list[str]:
    """The ``text`` of every line of every ``*.jsonl`` and ``*.jsonl.xz`` file."""
    texts = []
    for path in sorted(folder.glob("*.jsonl*")):
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
            texts += [json.loads(line)["text"] for line in file]
    return texts


def pack(texts: list[str], tokenizer: Tokenizer, *, blocks: int, block_tokens: int, end: int, seed: int) -> Tensor:
    """Texts in random order, one after the other with ``end`` between, cut into blocks. Shape: (blocks, tokens).

    Raises:
        SystemExit: The texts are too few.
    """
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    ids: list[int] = []
    for number in order:
        ids += [*tokenizer.encode(texts[number], add_special_tokens=False).ids, end]
        if len(ids) >= blocks * block_tokens:
            return torch.tensor(ids[: blocks * block_tokens]).reshape(blocks, block_tokens)
    raise SystemExit(f"the prose has {len(ids)} tokens; expected {blocks * block_tokens}: give more or fewer steps")


def sampled_loss(hidden: Tensor, targets: Tensor, token_vectors: Tensor, *, sampled: int) -> Tensor:
    """Cross-entropy over the targets of the batch and ``sampled`` tokens drawn evenly.

    Shape: hidden (N, H), targets (N,), token_vectors (V, H); result ().
    """
    drawn = torch.randint(len(token_vectors), (sampled,))
    candidates, places = torch.unique(torch.cat([targets, drawn]), return_inverse=True)
    return F.cross_entropy((hidden @ token_vectors[candidates].T).float(), places[: len(targets)])


def language_model_loss(decoder: LlamaModel, blocks: Tensor, *, sampled: int | None) -> Tensor:
    """Mean loss of the next token over blocks (B, T); over the whole vocabulary where ``sampled`` is None."""
    table = decoder.get_input_embeddings().weight
    hidden = decoder(input_ids=blocks[:, :-1], use_cache=False).last_hidden_state.flatten(0, 1)
    targets = blocks[:, 1:].flatten()
    if sampled is None:
        return F.cross_entropy((hidden @ table.T).float(), targets)
    return sampled_loss(hidden, targets, table, sampled=sampled)


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate: a tenth of the steps up, then down to zero in a straight line.

    >>> [round(schedule(step, 20), 2) for step in (0, 1, 2, 11, 19)]
    [0.5, 1.0, 1.0, 0.5, 0.06]
    """
    warmup = max(1, steps // 10)
    return min((step + 1) / warmup, (steps - step) / (steps - warmup) if steps > warmup else 1.0)


def pretrain(
    decoder: LlamaModel, texts: list[str], tokenizer: Tokenizer, config: BackboneConfig, *, end: int, out: Path
) -> dict[str, float]:
    """Train the decoder in place, continuing from ``out/backbone.pt`` when it is there; what was reached."""
    blocks = pack(
        texts, tokenizer, blocks=config.steps * config.blocks + HELD_OUT_BLOCKS, block_tokens=config.block_tokens,
        end=end, seed=config.seed,
    )  # fmt: skip
    held_out, blocks = blocks[:HELD_OUT_BLOCKS], blocks[HELD_OUT_BLOCKS:]
    trained = [parameter for parameter in decoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    first, began = resume(decoder, out, config, optimizer=optimizer), time.perf_counter()
    for step in range(first, config.steps):
        torch.manual_seed(config.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step, config.steps)
        batch = blocks[step * config.blocks : (step + 1) * config.blocks]
        with torch.autocast("cpu", torch.bfloat16):
            loss = language_model_loss(decoder, batch, sampled=config.sampled_tokens)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            print(f"backbone step {step + 1} loss {loss.item():.3f} s {time.perf_counter() - began:.0f}", flush=True)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            _save(decoder, optimizer, out, config, step + 1)
    with torch.no_grad():
        losses = [language_model_loss(decoder, part, sampled=None).item() for part in held_out.split(8)]
    mean = sum(losses) / len(losses)
    return {"tokens": float(blocks.numel()), "held_out_loss": mean, "held_out_perplexity": math.exp(mean)}


def _state(decoder: LlamaModel) -> dict[str, Tensor]:
    return {name: value for name, value in decoder.state_dict().items() if not name.startswith("embed_tokens")}


def _save(decoder: LlamaModel, optimizer: torch.optim.Optimizer, out: Path, config: BackboneConfig, step: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    state = {"step": step, "config": asdict(config), "decoder": _state(decoder), "optimizer": optimizer.state_dict()}
    torch.save(state, out / "backbone.part")
    (out / "backbone.part").replace(out / "backbone.pt")


def resume(
    decoder: LlamaModel, out: Path, config: BackboneConfig, *, optimizer: torch.optim.Optimizer | None = None
) -> int:
    """Fill the decoder (and the optimizer) from ``out/backbone.pt``; the steps it has seen, 0 without one.

    Raises:
        SystemExit: It was trained with other settings.
    """
    if not (out / "backbone.pt").exists():
        return 0
    state = torch.load(out / "backbone.pt", weights_only=True)
    if state["config"] != asdict(config):
        raise SystemExit(f"{out / 'backbone.pt'} was trained with {state['config']}; expected {asdict(config)}")
    decoder.load_state_dict(state["decoder"], strict=False)
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
