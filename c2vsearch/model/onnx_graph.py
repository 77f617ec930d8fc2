"""The ONNX graph of a BERT-type encoder with a Llama-type decoder, reading its weights in place from safetensors.

One text a run: no padding and no batch, so a text's embedding cannot depend on its neighbours (dynamic
quantisation takes one scale per activation tensor). Only C and EOS are read at the end, so the last
decoder layer computes keys and values for every token but queries and the MLP for those two alone.

Two graphs can share one int8 weight file: ``int8`` multiplies in int8 with activations quantised on the fly,
``fp32`` dequantises the weights at load and multiplies in float32, as the torch runtime does. ``fp32`` reads
float32 weights as well.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.backbones import with_defaults
from c2vsearch.model.checkpoint import graph_path
from c2vsearch.model.spec import ModelSpec
from c2vsearch.model.weights import SCALE_SUFFIX, WEIGHTS_FILE, tensor_places

CONTRIB = "com.microsoft"
DTYPES = {"F32": TensorProto.FLOAT, "I8": TensorProto.INT8}
# Layers of one shape: BERT's, where RoBERTa's only count positions otherwise, and Llama's.
BERT_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
COUNTS_FROM_PADDING = ("roberta", "xlm-roberta", "camembert")
LLAMA_TYPES = ("llama", "mistral", "qwen2", "qwen3")
ACTIVATIONS: dict[str, tuple[str, str, dict[str, float]]] = {
    "gelu": ("Gelu", CONTRIB, {}),
    "gelu_new": ("FastGelu", CONTRIB, {}),
    "gelu_pytorch_tanh": ("FastGelu", CONTRIB, {}),
    "relu": ("Relu", "", {}),
    "silu": ("QuickGelu", CONTRIB, {"alpha": 1.0}),
}


def write_graphs(folder: Path, spec: ModelSpec, *, precisions: Sequence[str] = ("int8", "fp32")) -> None:
    """Write graphs beside the one weight file of a folder: of each precision the whole, and the encoder alone.

    Raises:
        InvalidConfig: There is no graph for a part of the model; the message names it.
    """
    full = check_exportable(spec)
    for precision in precisions:
        onnx.save(_Graph(folder, full, precision).build(), graph_path(folder, precision))
        onnx.save(_Graph(folder, full, precision).build_states(), graph_path(folder, precision, states=True))


def check_exportable(spec: ModelSpec) -> ModelSpec:
    """The spec with every default of its architectures written out.

    Raises:
        InvalidConfig: A part of the model has no ONNX graph.
    """
    full = dataclasses.replace(spec, encoder=with_defaults(spec.encoder), decoder=with_defaults(spec.decoder))
    for missing in _missing(full):
        raise InvalidConfig(
            f"cannot export {spec.name} to ONNX: {missing}; use the torch runtime for this model: it runs any backbones"
        )
    return full


def _missing(spec: ModelSpec) -> list[str]:
    """What keeps a model from its graph, in words."""
    encoder, decoder = spec.encoder, spec.decoder
    rope = decoder.get("rope_parameters") or {}
    window, layers = decoder.get("sliding_window"), decoder.get("layer_types")
    longest = spec.max_tokens + spec.max_instruction_tokens + 3
    slides = window is not None and window < longest and (layers is None or "sliding_attention" in layers)
    checks = {
        f"its encoder is of type {encoder['model_type']}, expected one of {', '.join(BERT_TYPES)}": (
            encoder["model_type"] not in BERT_TYPES
        ),
        f"its decoder is of type {decoder['model_type']}, expected one of {', '.join(LLAMA_TYPES)}": (
            decoder["model_type"] not in LLAMA_TYPES
        ),
        f"its encoder's positions are {encoder.get('position_embedding_type')}, expected absolute ones": (
            encoder.get("position_embedding_type") not in (None, "absolute")
        ),
        f"its encoder's activation is {encoder.get('hidden_act')}": encoder.get("hidden_act") not in ACTIVATIONS,
        f"its decoder's activation is {decoder.get('hidden_act')}": decoder.get("hidden_act") not in ACTIVATIONS,
        f"its rotary positions are {rope}, expected the default kind": (
            rope.get("rope_type", "default") != "default" or rope.get("partial_rotary_factor", 1.0) != 1.0
        ),
        f"its decoder has a sliding window of {window} tokens, fewer than the {longest} it may read": slides,
    }
    return [sentence for sentence, holds in checks.items() if holds]


class _Graph:
    """Collects nodes while walking through the model in the order of the computation."""

    def __init__(self, folder: Path, spec: ModelSpec, precision: str) -> None:
        self.spec = spec
        self.precision = precision
        self.places = tensor_places(folder)
        self.heads: int = spec.decoder["num_attention_heads"]
        self.key_heads: int = spec.decoder.get("num_key_value_heads") or self.heads
        self.per_head: int = spec.decoder.get("head_dim") or spec.decoder["hidden_size"] // self.heads
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.count = 0

    def build(self) -> onnx.ModelProto:
        """The whole graph: three inputs of ids, the embedding and the encoder's token states."""
        encoder_states = self.encoder()
        context, eos = self.decoder(self.projector(self.pool(encoder_states)))
        parts = {"concat": (context, eos), "context": (context,), "eos": (eos,)}[self.spec.pooling]
        embedding = self.unit(self.op("Concat", *parts, axis=2) if len(parts) > 1 else parts[0])
        self.squeeze(embedding, 1, "embedding")
        self.squeeze(encoder_states, 0, "encoder_states")
        inputs = [("encoder_ids", "T_e"), ("before_ids", "P"), ("after_ids", "A")]
        return self.model(inputs, [("embedding", [1, self.spec.dim]), self.states_output()])

    def build_states(self) -> onnx.ModelProto:
        """The encoder alone, for its token states: a runtime computes the whole graph, whatever it is asked for."""
        self.squeeze(self.encoder(), 0, "encoder_states")
        return self.model([("encoder_ids", "T_e")], [self.states_output()])

    def squeeze(self, value: str, axis: int, name: str) -> None:
        """A result of the graph, freed of an axis of length 1."""
        self.nodes.append(helper.make_node("Squeeze", [value, self.constant(np.array([axis]))], [name]))

    def states_output(self) -> tuple[str, list[int | str]]:
        """Name and shape of the encoder's token states."""
        return "encoder_states", ["T_e", self.spec.encoder["hidden_size"]]

    def model(
        self, inputs: Sequence[tuple[str, str]], outputs: Sequence[tuple[str, list[int | str]]]
    ) -> onnx.ModelProto:
        """Everything that was collected, with its inputs of ids and its results."""
        graph = helper.make_graph(
            self.nodes,
            "causal2vec",
            [helper.make_tensor_value_info(name, TensorProto.INT64, [length]) for name, length in inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
            list(self.initializers.values()),
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="c2vsearch")

    # The three parts of the model.

    def encoder(self) -> str:
        """BERT (post-norm). Shape of the result: (1, T_e, K)."""
        config, root = self.spec.encoder, "encoder"
        words = self.embed("encoder_ids", f"{root}.embeddings.word_embeddings.weight")
        kind = self.op(
            "Gather", self.weight(f"{root}.embeddings.token_type_embeddings.weight"), self.constant(np.array([0]))
        )
        summed = self.op("Add", self.op("Add", words, self.positions()), kind)
        hidden = self.layer_norm(summed, f"{root}.embeddings.LayerNorm")
        for number in range(config["num_hidden_layers"]):
            layer = f"{root}.encoder.layer.{number}"
            query, key, value = self.linears(
                hidden, [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
            )
            attended = self.attention(query, key, value, heads=config["num_attention_heads"])
            [projected] = self.linears(attended, [f"{layer}.attention.output.dense"])
            hidden = self.layer_norm(self.op("Add", projected, hidden), f"{layer}.attention.output.LayerNorm")
            [up] = self.linears(hidden, [f"{layer}.intermediate.dense"])
            [down] = self.linears(self.activation(up, config["hidden_act"]), [f"{layer}.output.dense"])
            hidden = self.layer_norm(self.op("Add", down, hidden), f"{layer}.output.LayerNorm")
        return hidden

    def positions(self) -> str:
        """Position vectors of the encoder's tokens. Shape: (T_e, K)."""
        table = self.weight("encoder.embeddings.position_embeddings.weight")
        zero = self.constant(np.array([0]))
        if self.spec.encoder["model_type"] not in COUNTS_FROM_PADDING:
            return self.op("Slice", table, zero, self.op("Shape", "encoder_ids"), zero)
        # RoBERTa counts from its padding token's number on, and a padding token written in a text is not counted.
        padding = self.constant(np.array(self.spec.encoder["pad_token_id"]))
        counted = self.op("Cast", self.op("Not", self.op("Equal", "encoder_ids", padding)), to=TensorProto.INT64)
        numbers = self.op("Mul", self.op("CumSum", counted, self.constant(np.array(0))), counted)
        return self.op("Gather", table, self.op("Add", numbers, padding))

    def pool(self, states: str) -> str:
        """The encoder's text vector. Shape: (1, T_e, K) -> (1, 1, K)."""
        if self.spec.encoder_pooling == "cls":
            return self.op("Slice", states, *(self.constant(np.array([number])) for number in (0, 1, 1)))
        pooled = self.op("ReduceMean", states, self.constant(np.array([1])), keepdims=1)
        return self.unit(pooled) if self.spec.projector_residual else pooled

    def projector(self, pooled: str) -> str:
        """Shape: (1, 1, K) -> (1, 1, H)."""
        [up] = self.linears(pooled, ["projector.up"])
        [down] = self.linears(self.activation(up, "gelu"), ["projector.down"])
        return self.op("Add", pooled, down) if self.spec.projector_residual else down

    def decoder(self, context: str) -> tuple[str, str]:
        """Llama (pre-norm, rotary, causal). Shape of the results: C and EOS, (1, 1, H) each."""
        before, after = (self.embed(ids, self.token_table()) for ids in ("before_ids", "after_ids"))
        hidden = self.op("Concat", before, context, after, axis=1)
        layers = [f"decoder.layers.{number}" for number in range(self.spec.decoder["num_hidden_layers"])]
        zero = self.constant(np.array([0]))
        for layer in layers[:-1]:
            normed = self.rms_norm(hidden, f"{layer}.input_layernorm")
            query, key, value = self.linears(normed, [f"{layer}.self_attn.{name}_proj" for name in "qkv"])
            attended = self.attention(
                self.query(query, layer, zero), self.key(key, layer), self.shared(value), heads=self.heads, causal=True
            )
            hidden = self.after_attention(hidden, attended, layer)
        return self.last_layer(hidden, layers[-1])

    def last_layer(self, hidden: str, layer: str) -> tuple[str, str]:
        """The last decoder layer at the two positions that are read."""
        normed = self.rms_norm(hidden, f"{layer}.input_layernorm")
        key, value = self.linears(normed, [f"{layer}.self_attn.k_proj", f"{layer}.self_attn.v_proj"])
        key, value = self.key(key, layer), self.shared(value)
        one, axis = self.constant(np.array([1])), self.constant(np.array([1]))
        at_context = self.op("Shape", "before_ids")
        after_context = self.op("Add", at_context, one)
        length = self.op("Slice", self.op("Shape", hidden), one, self.constant(np.array([2])))
        at_eos = self.op("Sub", length, one)
        states = []
        for start, end in ((at_context, after_context), (at_eos, length)):
            residual = self.op("Slice", hidden, start, end, axis)  # (1, 1, H)
            [query] = self.linears(self.op("Slice", normed, start, end, axis), [f"{layer}.self_attn.q_proj"])
            zero = self.constant(np.array([0]))
            attended = self.attention(self.query(query, layer, start), self.op("Slice", key, zero, end, axis),
                                      self.op("Slice", value, zero, end, axis), heads=self.heads)  # fmt: skip
            states.append(self.rms_norm(self.after_attention(residual, attended, layer), "decoder.norm"))
        return states[0], states[1]

    def query(self, states: str, layer: str, offset: str) -> str:
        """Queries of one layer, normed where the architecture does so (Qwen3), with their positions."""
        return self.rotate(self.head_norm(states, f"{layer}.self_attn.q_norm", self.heads), offset, self.heads)

    def key(self, states: str, layer: str) -> str:
        """Keys of one layer, from the first position on, one for each query head."""
        normed = self.head_norm(states, f"{layer}.self_attn.k_norm", self.key_heads)
        return self.shared(self.rotate(normed, self.constant(np.array([0])), self.key_heads))

    def after_attention(self, residual: str, attended: str, layer: str) -> str:
        """Output projection and the gated MLP, each added to the residual stream."""
        [projected] = self.linears(attended, [f"{layer}.self_attn.o_proj"])
        hidden = self.op("Add", residual, projected)
        normed = self.rms_norm(hidden, f"{layer}.post_attention_layernorm")
        gate, up = self.linears(normed, [f"{layer}.mlp.gate_proj", f"{layer}.mlp.up_proj"])
        gated = self.op("Mul", self.activation(gate, self.spec.decoder["hidden_act"]), up)
        [down] = self.linears(gated, [f"{layer}.mlp.down_proj"])
        return self.op("Add", hidden, down)

    # Operators.

    def linears(self, hidden: str, names: list[str]) -> list[str]:
        """Linear layers over one input, which is quantised once for all of them."""
        if self.precision == "fp32" or names[0].startswith(self.spec.float_layers):
            return [self.float_linear(hidden, name) for name in names]
        quantized, scale, zero = (self.name("quantized") for _ in range(3))
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [hidden], [quantized, scale, zero]))
        results = []
        for name in names:
            weight, weight_scale = self.weight(f"{name}.weight"), self.weight(f"{name}.weight{SCALE_SUFFIX}")
            bias = self.weight(f"{name}.bias") if f"{name}.bias" in self.places else ""
            factors = (quantized, weight, scale, weight_scale, zero, "", bias)
            results.append(self.op("MatMulIntegerToFloat", *factors, domain=CONTRIB))
        return results

    def float_linear(self, hidden: str, name: str) -> str:
        """The same in float32; the weight is dequantised or turned into a constant when the graph is loaded."""
        matrix = f"{name}.weight"
        if self.is_int8(matrix):  # (in, out)
            weight = self.op("DequantizeLinear", self.weight(matrix), self.weight(matrix + SCALE_SUFFIX), axis=1)
        else:  # (out, in)
            weight = self.op("Transpose", self.weight(matrix), perm=[1, 0])
        product = self.op("MatMul", hidden, weight)
        return self.op("Add", product, self.weight(f"{name}.bias")) if f"{name}.bias" in self.places else product

    def activation(self, hidden: str, name: str) -> str:
        """An activation by the name ``transformers`` has for it."""
        kind, domain, attributes = ACTIVATIONS[name]
        return self.op(kind, hidden, domain=domain, **attributes)

    def token_table(self) -> str:
        """The decoder's token vectors: its own, or those both halves share."""
        shared = self.spec.tied_token_embeddings
        return "encoder.embeddings.word_embeddings.weight" if shared else "decoder.embed_tokens.weight"

    def embed(self, ids: str, table: str) -> str:
        """Token vectors. Shape: (T,) -> (1, T, width)."""
        rows = self.op("Gather", self.weight(table), ids)
        if self.is_int8(table):
            rows = self.op("Cast", rows, to=TensorProto.FLOAT)
            scales = self.op(
                "Unsqueeze", self.op("Gather", self.weight(table + SCALE_SUFFIX), ids), self.constant(np.array([1]))
            )
            rows = self.op("Mul", rows, scales)
        return self.op("Unsqueeze", rows, self.constant(np.array([0])))

    def attention(self, query: str, key: str, value: str, *, heads: int, causal: bool = False) -> str:
        """Scaled dot-product attention over (1, T, width)."""
        return self.op(
            "MultiHeadAttention", query, key, value, domain=CONTRIB, num_heads=heads, unidirectional=int(causal)
        )

    def rotate(self, states: str, offset: str, heads: int) -> str:
        """Rotary positions from ``offset`` on."""
        config = self.spec.decoder
        theta = config["rope_parameters"]["rope_theta"]
        frequencies = 1.0 / theta ** (np.arange(0, self.per_head, 2, dtype=np.float64) / self.per_head)
        angles = np.outer(np.arange(config["max_position_embeddings"]), frequencies)
        cos, sin = (self.constant(table.astype(np.float32)) for table in (np.cos(angles), np.sin(angles)))
        return self.op("RotaryEmbedding", states, offset, cos, sin, domain=CONTRIB,
                       num_heads=heads, rotary_embedding_dim=0)  # fmt: skip

    def shared(self, states: str) -> str:
        """Keys or values that several query heads share, repeated for each of them. Shape: (1, T, heads * width)."""
        repeat = self.heads // self.key_heads
        if repeat == 1:
            return states
        apart = self.op("Reshape", states, self.constant(np.array([1, -1, self.key_heads, 1, self.per_head])))
        tiled = self.op("Tile", apart, self.constant(np.array([1, 1, 1, repeat, 1])))
        return self.op("Reshape", tiled, self.constant(np.array([1, -1, self.heads * self.per_head])))

    def head_norm(self, states: str, name: str, heads: int) -> str:
        """RMSNorm over each head by itself, where the layer has one."""
        if f"{name}.weight" not in self.places:
            return states
        apart = self.op("Reshape", states, self.constant(np.array([1, -1, heads, self.per_head])))
        return self.op("Reshape", self.rms_norm(apart, name), self.constant(np.array([1, -1, heads * self.per_head])))

    def unit(self, states: str) -> str:
        """Rows of unit length. Shape: (1, 1, width)."""
        return self.op("LpNormalization", states, axis=2, p=2)

    def layer_norm(self, hidden: str, name: str) -> str:
        """BERT's LayerNorm."""
        return self.op("LayerNormalization", hidden, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
                       axis=-1, epsilon=self.spec.encoder["layer_norm_eps"])  # fmt: skip

    def rms_norm(self, hidden: str, name: str) -> str:
        """Llama's RMSNorm."""
        return self.op("SimplifiedLayerNormalization", hidden, self.weight(f"{name}.weight"),
                       axis=-1, epsilon=self.spec.decoder["rms_norm_eps"])  # fmt: skip

    # Bookkeeping.

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one result and name it."""
        result = self.name(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [result], domain=domain, **attributes))
        return result

    def name(self, kind: str) -> str:
        """A name not used before."""
        self.count += 1
        return f"{kind}_{self.count}"

    def constant(self, value: np.ndarray[Any, Any]) -> str:
        """A small tensor inside the graph file, shared when it is asked for again."""
        digest = hashlib.blake2b(value.tobytes(), digest_size=8).hexdigest()
        name = f"constant_{value.dtype}_{'x'.join(map(str, value.shape))}_{digest}"
        self.initializers.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def is_int8(self, name: str) -> bool:
        """Whether a tensor of the weight file is quantised."""
        return self.places[name][0] == "I8"

    def weight(self, name: str) -> str:
        """A tensor of the weight file, by its place there."""
        if name not in self.initializers:
            dtype, shape, offset, size = self.places[name]
            tensor = TensorProto(name=name, data_type=DTYPES[dtype], dims=shape, data_location=TensorProto.EXTERNAL)
            for key, value in (("location", WEIGHTS_FILE), ("offset", str(offset)), ("length", str(size))):
                tensor.external_data.add(key=key, value=value)
            self.initializers[name] = tensor
        return name
