"""Start a small model as good as its encoder, with a second half that adds to it, before any contrastive step.

C starts as the encoder's own vector and passes through the decoder unchanged. EOS starts as a bag of words: the
decoder's causal attention sums over the text a vector for each token, weighted by how rare the token is (smooth
inverse frequency, Arora et al., ICLR 2017). The encoder says what a text is about, the bag of words which words say
so, and their concatenation is better than either (docs/benchmarks.md).

How a decoder of the Llama type does it, in the residual stream of width H:

- Two directions that neither token embeddings nor encoder vectors use are markers. C carries the first.
- The first layer's attention reads the first marker wherever C can be seen and writes the second one: a token that
  has it belongs to the text, a token that has not to the instruction, which the causal mask keeps from seeing C.
- The first layer's MLP and the second layer's keys and values are fitted to the table of token vectors and weights,
  which is a function of the token's embedding. This is regression over the vocabulary; no text is needed.
- The second layer's query is a constant, so that EOS weighs tokens of the text by their keys alone. C, EOS and
  tokens of the instruction have keys far below, and BOS a low one, which C attends to: it takes the marker off C.
- What EOS carries of itself is as large as the bag of words and the same in every text. Biases take it off, where
  weights in int8 would leave noise of the bag's own size; `calibrate` takes off what is still left, measured on texts.

The halves of the final concatenation weigh what their lengths before the last norm say; ``rms_norm_eps`` is large
enough (`NORM_EPS`) that the last norm keeps some of the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.causal2vec import Batch, Causal2Vec

NORM_EPS = 2e-4
MARKER = 0.5  # length of either marker, beside C's unit length
SHARPNESS = 14.0  # logit of C in the first layer, where everything else has about 0
HIDDEN_KEY = -15.0  # logits of what EOS must not read
BOS_KEY = -5.0


@dataclass(frozen=True, slots=True)
class TokenTable:
    """What the bag of words sums. Shape: vectors (V, H), unit rows; log_weights (V,); frequencies (V,), for the fit.

    ``first`` is the first row that is a word: rows before it (special and unused tokens) are left out of the fit.
    """

    vectors: Tensor
    log_weights: Tensor
    frequencies: Tensor
    first: int


def token_table(embeddings: Tensor, frequencies: Tensor, *, texts: int, first: int, exponent: float) -> TokenTable:
    """Whitened token embeddings, weighted by rarity.

    Whitening makes different words nearly orthogonal and leaves related ones close: their sum is a sketch of the
    words of a text in which inflections still match.

    Args:
        embeddings: Token embeddings of the encoder. Shape: (V, H).
        frequencies: Texts that hold each token. Shape: (V,).
        texts: How many texts were counted.
        first: The first row that is a word.
        exponent: Of the inverse document frequency in a token's weight.
    """
    centred = embeddings - embeddings[first:].mean(dim=0)
    values, directions = torch.linalg.eigh(torch.cov(centred[first:].T))
    whitened = centred @ directions @ torch.diag(values.clamp(min=1e-8).rsqrt()) @ directions.T
    rarity = torch.log((texts + 1) / (frequencies + 0.5)).clamp(min=0.3)
    return TokenTable(F.normalize(whitened, dim=1), exponent * rarity.log(), frequencies, first)


def warm_start(
    model: Causal2Vec, table: TokenTable, sample: Tensor, *, bag_scale: float, epochs: int, seed: int,
    batch_size: int = 1024, learning_rate: float = 1e-3,
) -> None:  # fmt: skip
    """Set the projector and the first two layers of the decoder as described above; further layers start at zero.

    Args:
        model: A Llama-type decoder with ``attention_bias``, BOS, a residual projector and shared token embeddings.
        table: What the bag of words sums.
        sample: Encoder vectors, unit rows, that C's place is fitted on. Shape: (N, H).
        bag_scale: Length of the bag of words beside C: the weight of the second half.
        epochs: Passes of the fit over the vocabulary.
        seed: Of the fit.
        batch_size: Tokens of a step.
        learning_rate: Of the fit, falling linearly.

    Raises:
        InvalidConfig: The model is not of the kind described.
    """
    _check(model)
    markers = _unused_directions(torch.cat([_words(model, table), sample]))
    _clear(model, seed)
    _mark_text(model, markers, sample)
    reader = _Reader(model, table, markers, bag_scale)
    reader.fit(sample, epochs=epochs, seed=seed, batch_size=batch_size, learning_rate=learning_rate)
    reader.install()


def _check(model: Causal2Vec) -> None:
    spec = model.spec
    needed = {
        "a decoder of type llama": spec.decoder["model_type"] == "llama",
        "attention_bias": bool(spec.decoder.get("attention_bias")),
        "at least 2 decoder layers": len(model.decoder.layers) >= 2,
        "bos_token_id": spec.bos_token_id is not None,
        "projector_residual": spec.projector_residual,
        "tied_token_embeddings": spec.tied_token_embeddings,
    }
    for name, holds in needed.items():
        if not holds:
            raise InvalidConfig(f"{spec.name} cannot be warm-started: expected {name}")


def _words(model: Causal2Vec, table: TokenTable) -> Tensor:
    embeddings: Tensor = model.decoder.get_input_embeddings().weight.detach()
    return F.normalize(embeddings[table.first :], dim=1)


def _unused_directions(sample: Tensor) -> Tensor:
    """The two orthonormal directions along which the rows lie least. Shape: (N, H) -> (2, H)."""
    _, vectors = torch.linalg.eigh(sample.T @ sample / len(sample))
    return vectors[:, :2].T.contiguous()


@torch.no_grad()
def _clear(model: Causal2Vec, seed: int) -> None:
    """Every layer passes its input on; what reads is small noise, so that training can find uses for it."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.decoder.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj):
            linear.bias.zero_()
        for linear, spread in ((attention.q_proj, 0.002), (attention.k_proj, 0.002), (attention.v_proj, 0.02),
                               (mlp.gate_proj, 0.02), (mlp.up_proj, 0.02)):  # fmt: skip
            linear.weight.normal_(0.0, spread, generator=generator)
        attention.o_proj.weight.zero_()
        mlp.down_proj.weight.zero_()
        for norm in (layer.input_layernorm, layer.post_attention_layernorm):
            norm.weight.fill_(1.0)
    model.decoder.norm.weight.fill_(1.0)
    model.projector.down.weight.zero_()


@torch.no_grad()
def _mark_text(model: Causal2Vec, markers: Tensor, sample: Tensor) -> None:
    """The first layer's attention: whoever sees C gets the second marker. Its bias takes EOS's own vector off."""
    attention = model.decoder.layers[0].self_attn
    own = model.decoder.get_input_embeddings().weight[model.spec.eos_token_id]
    model.projector.down.bias.copy_(MARKER * markers[0] + own)
    attention.o_proj.bias.copy_(-own)
    at_context = float((_norm(model, sample + model.projector.down.bias) @ markers[0]).mean())
    for row in _slow_rows(model):
        size = _logit_share(model, SHARPNESS)
        attention.q_proj.weight[row] = 0.0
        attention.q_proj.bias[row] = size
        attention.k_proj.weight[row] = size * markers[0] / at_context
    attention.v_proj.weight.zero_()
    attention.v_proj.weight[0] = markers[0] / at_context
    attention.o_proj.weight[:, 0] = MARKER * markers[1]


def _norm(model: Causal2Vec, hidden: Tensor) -> Tensor:
    """RMSNorm with unit weights. Shape: (N, H)."""
    return hidden * torch.rsqrt(hidden.square().mean(dim=-1, keepdim=True) + float(model.spec.decoder["rms_norm_eps"]))


def _slow_rows(model: Causal2Vec) -> Iterator[int]:
    """The row of each head that turns least with distance: the last of its first half (rotary pairs are halves)."""
    heads = model.spec.decoder["num_attention_heads"]
    per_head = model.spec.hidden // heads
    return (head * per_head + per_head // 2 - 1 for head in range(heads))


def _logit_share(model: Causal2Vec, logit: float) -> float:
    """What a query and a key component have to be so that their scaled product is the logit."""
    per_head = model.spec.hidden // model.spec.decoder["num_attention_heads"]
    return float((logit * per_head**0.5) ** 0.5)


class _Reader(nn.Module):
    """The first layer's MLP with the second layer's key and value as functions of one token, to be fitted."""

    def __init__(self, model: Causal2Vec, table: TokenTable, markers: Tensor, bag_scale: float) -> None:
        super().__init__()
        width = model.spec.hidden
        self.model, self.table, self.markers, self.bag_scale = model, table, markers, bag_scale
        self.key, self.value = nn.Linear(width, 1), nn.Linear(width, width)
        self.mlp = model.decoder.layers[0].mlp
        tokens = model.decoder.get_input_embeddings().weight.detach()
        own = tokens[model.spec.eos_token_id]
        self.words, self.bos = tokens[table.first :] - own, tokens[model.spec.bos_token_id] - own
        common = (table.frequencies[table.first :] + 5) ** 0.35
        self.importance = common / common.mean()
        vectors = table.vectors[table.first :]
        self.vectors = F.normalize(vectors - vectors @ markers.T @ markers, dim=1)  # markers are not words
        weights = table.log_weights[table.first :]
        self.keys = weights - (self.importance * weights).mean()

    def fit(self, sample: Tensor, *, epochs: int, seed: int, batch_size: int, learning_rate: float) -> None:
        """Regression over the vocabulary, from the linear solution on."""
        self._start_linear(sample)
        generator = torch.Generator().manual_seed(seed)
        parameters = [*self.mlp.parameters(), *self.key.parameters(), *self.value.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=learning_rate)
        batch_size = min(batch_size, len(self.words))
        steps = epochs * (len(self.words) // batch_size)
        step = 0
        for _ in range(epochs):
            order = torch.randperm(len(self.words), generator=generator)
            for chosen in order[: len(order) // batch_size * batch_size].split(batch_size):
                step += 1
                optimizer.param_groups[0]["lr"] = learning_rate * min(1.0, step / 50) * max(0.005, 1 - step / steps)
                rows = torch.randint(len(sample), (256,), generator=generator)
                optimizer.zero_grad()
                self.error(chosen, sample[rows]).backward()
                optimizer.step()

    def error(self, chosen: Tensor, contexts: Tensor) -> Tensor:
        """How far words, words of an instruction, C, EOS and BOS are from what they should be."""
        words, mark = self.words[chosen], MARKER * self.markers[1]
        # EOS never arrives exactly as planned: it has to be passed on from around that place as well.
        around = mark * torch.linspace(0.9, 1.1, 32)[:, None] + 0.02 * contexts[:32]
        kinds = [words + mark, words[:256], contexts + MARKER * self.markers[0] + mark, around, self.bos[None]]
        sizes = [len(kind) for kind in kinds]
        inputs = torch.cat(kinds)
        added = self.mlp(_norm(self.model, inputs))
        normed = _norm(self.model, inputs + added)
        keys, values = self.key(normed)[:, 0].split(sizes), self.value(normed).split(sizes)
        _, _, at_context, at_eos, _ = added.split(sizes)
        weight = self.importance[chosen]
        marker_off = -MARKER / self.bag_scale * self.markers[0]
        terms = [
            (weight * (values[0] - self.vectors[chosen]).square().sum(dim=1)).mean(),
            4.0 * (weight * (keys[0] - self.keys[chosen]).square()).mean(),
            *(0.02 * F.relu(part - HIDDEN_KEY).square().mean() for part in keys[1:4]),
            5.0 * (at_context.square().sum(dim=1).mean() + at_eos.square().sum(dim=1).mean()),
            0.02 * (keys[4] - BOS_KEY).square().sum(),
            (values[4] - marker_off).square().sum(),
        ]
        return torch.stack(terms).sum()

    @torch.no_grad()
    def _start_linear(self, sample: Tensor) -> None:
        """Key and value as the weighted least-squares solution without an MLP, which is closed at C."""
        contexts = sample + MARKER * (self.markers[0] + self.markers[1])
        at_context = float((_norm(self.model, contexts) @ self.markers[0]).mean())
        self.mlp.gate_proj.weight.sub_(10.0 * self.markers[0] / at_context)
        normed = _norm(self.model, self.words + MARKER * self.markers[1])
        inputs = torch.cat([normed, torch.ones(len(normed), 1)], dim=1)
        weighted = (inputs * self.importance[:, None]).T / len(inputs)
        targets = torch.cat([self.vectors, self.keys[:, None]], dim=1)
        solution = torch.linalg.solve(weighted @ inputs + 1e-5 * torch.eye(inputs.shape[1]), weighted @ targets)
        self.value.weight.copy_(solution[:-1, :-1].T)
        self.value.bias.copy_(solution[-1, :-1])
        self.key.weight.copy_(solution[:-1, -1][None])
        self.key.bias.copy_(solution[-1, -1:])

    @torch.no_grad()
    def install(self) -> None:
        """Put key and value into the second layer, the same in every head; its bias takes the rest off EOS."""
        attention = self.model.decoder.layers[1].self_attn
        mark = (MARKER * self.markers[1])[None]
        words = self.words + mark
        normed = _norm(self.model, words + self.mlp(_norm(self.model, words)))
        weight = (self.importance * self.keys.exp())[:, None]
        self.value.bias.sub_((weight * (self.value(normed) - self.vectors)).sum(dim=0) / weight.sum())
        rest = self.mlp(_norm(self.model, mark))[0]
        attention.o_proj.bias.copy_(-mark[0] - rest)
        self.model.projector.down.bias.add_(rest)
        share = _logit_share(self.model, 1.0)
        for row in _slow_rows(self.model):
            attention.q_proj.weight[row] = 0.0
            attention.q_proj.bias[row] = share
            attention.k_proj.weight[row] = share * self.key.weight[0]
            attention.k_proj.bias[row] = share * self.key.bias[0]
        attention.v_proj.weight.copy_(self.value.weight)
        attention.v_proj.bias.copy_(self.value.bias)
        attention.o_proj.weight.copy_(self.bag_scale * torch.eye(self.model.spec.hidden))


@torch.inference_mode()
def calibrate(model: Causal2Vec, table: TokenTable, batch: Batch, pooled: Tensor, *, bag_scale: float) -> None:
    """Take off EOS what its bag of words has too much in the mean over some texts.

    Args:
        model: After `warm_start`, with the rounding it is stored with.
        table: What the bag of words should sum.
        batch: The texts. Shape: B of them.
        pooled: Their encoder vectors. Shape: (B, H).
        bag_scale: As in `warm_start`.
    """
    seen: list[Tensor] = []
    hook = model.decoder.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.decode(pooled, batch, pooled)
    hook.remove()
    rows = torch.arange(len(pooled))
    at_eos = seen[0][rows, batch.eos_position]
    places = torch.arange(batch.decoder_ids.shape[1])[None]
    text = (places > batch.context_position[:, None]) & (places < batch.eos_position[:, None])
    weights = table.log_weights[batch.decoder_ids].exp() * text  # (B, T)
    bags = (weights[:, :, None] * table.vectors[batch.decoder_ids]).sum(dim=1) / weights.sum(dim=1, keepdim=True)
    model.decoder.layers[1].self_attn.o_proj.bias.sub_((at_eos - bag_scale * bags).mean(dim=0))
