"""The ONNX graph of a BERT encoder with a Llama decoder, reading int8 weights in place from safetensors.

One text a run: no padding and no batch, so a text's embedding cannot depend on its neighbours (dynamic
quantisation takes one scale per activation tensor). Only C and EOS are read at the end, so the last
decoder layer computes keys and values for every token but queries and the MLP for those two alone.

Two graphs share the weight file: ``int8`` multiplies in int8 with activations quantised on the fly,
``fp32`` dequantises the weights at load and multiplies in float32, as the torch runtime does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.checkpoint import graph_path
from c2vsearch.model.spec import ModelSpec
from c2vsearch.model.weights import SCALE_SUFFIX, WEIGHTS_FILE, tensor_places

Precision = Literal["int8", "fp32"]
CONTRIB = "com.microsoft"
DTYPES = {"F32": TensorProto.FLOAT, "I8": TensorProto.INT8}


def write_graphs(folder: Path, spec: ModelSpec) -> None:
    """Write both graphs beside the int8 weight file of a folder.

    Raises:
        InvalidConfig: The halves are not a BERT encoder and a Llama decoder, or the pooling is not "concat".
    """
    kinds = (spec.encoder["model_type"], spec.decoder["model_type"], spec.pooling, spec.encoder_pooling)
    if kinds != ("bert", "llama", "concat", "mean") or not spec.projector_residual or spec.bos_token_id is not None:
        raise InvalidConfig(
            f"cannot export {kinds} to ONNX; expected a BERT encoder (mean pooling), a residual projector and a "
            "Llama decoder (concat pooling); use the torch runtime for this model"
        )
    for precision in ("int8", "fp32"):
        onnx.save(_Graph(folder, spec, precision).build(), graph_path(folder, precision))


class _Graph:
    """Collects nodes while walking through the model in the order of the computation."""

    def __init__(self, folder: Path, spec: ModelSpec, precision: Precision) -> None:
        self.spec = spec
        self.precision = precision
        self.places = tensor_places(folder)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.count = 0

    def build(self) -> onnx.ModelProto:
        """The whole graph: three inputs of ids, the embedding and the encoder's token states."""
        encoder_states = self.encoder()
        pooled = self.op("ReduceMean", encoder_states, self.constant(np.array([1])), keepdims=1)
        halves = self.decoder(self.projector(self.unit(pooled)))
        embedding = self.unit(self.op("Concat", *halves, axis=2))
        for result, axis, name in ((embedding, 1, "embedding"), (encoder_states, 0, "encoder_states")):
            self.nodes.append(helper.make_node("Squeeze", [result, self.constant(np.array([axis]))], [name]))
        inputs = [("encoder_ids", "T_e"), ("before_ids", "P"), ("after_ids", "A")]
        outputs = [("embedding", [1, self.spec.dim]), ("encoder_states", ["T_e", self.spec.encoder["hidden_size"]])]
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
        words = self.embed("encoder_ids")
        length = self.op("Shape", "encoder_ids")
        zero = self.constant(np.array([0]))
        table = self.weight(f"{root}.embeddings.position_embeddings.weight")
        positions = self.op("Slice", table, zero, length, zero)
        kind = self.op(
            "Gather", self.weight(f"{root}.embeddings.token_type_embeddings.weight"), self.constant(np.array([0]))
        )
        summed = self.op("Add", self.op("Add", words, positions), kind)
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
            [down] = self.linears(self.op("Gelu", up, domain=CONTRIB), [f"{layer}.output.dense"])
            hidden = self.layer_norm(self.op("Add", down, hidden), f"{layer}.output.LayerNorm")
        return hidden

    def projector(self, pooled: str) -> str:
        """Shape: (1, 1, K) -> (1, 1, H)."""
        [up] = self.linears(pooled, ["projector.up"])
        [down] = self.linears(self.op("Gelu", up, domain=CONTRIB), ["projector.down"])
        return self.op("Add", pooled, down)

    def decoder(self, context: str) -> tuple[str, str]:
        """Llama (pre-norm, rotary, causal). Shape of the results: C and EOS, (1, 1, H) each."""
        config = self.spec.decoder
        hidden = self.op("Concat", self.embed("before_ids"), context, self.embed("after_ids"), axis=1)
        layers = [f"decoder.layers.{number}" for number in range(config["num_hidden_layers"])]
        for layer in layers[:-1]:
            normed = self.rms_norm(hidden, f"{layer}.input_layernorm")
            query, key, value = self.linears(normed, [f"{layer}.self_attn.{name}_proj" for name in "qkv"])
            zero = self.constant(np.array([0]))
            attended = self.attention(self.rotate(query, zero), self.rotate(key, zero), value,
                                      heads=config["num_attention_heads"], causal=True)  # fmt: skip
            hidden = self.after_attention(hidden, attended, layer)
        return self.last_layer(hidden, layers[-1])

    def last_layer(self, hidden: str, layer: str) -> tuple[str, str]:
        """The last decoder layer at the two positions that are read."""
        heads = self.spec.decoder["num_attention_heads"]
        normed = self.rms_norm(hidden, f"{layer}.input_layernorm")
        key, value = self.linears(normed, [f"{layer}.self_attn.k_proj", f"{layer}.self_attn.v_proj"])
        key = self.rotate(key, self.constant(np.array([0])))
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
            attended = self.attention(self.rotate(query, start), self.op("Slice", key, zero, end, axis),
                                      self.op("Slice", value, zero, end, axis), heads=heads)  # fmt: skip
            states.append(self.rms_norm(self.after_attention(residual, attended, layer), "decoder.norm"))
        return states[0], states[1]

    def after_attention(self, residual: str, attended: str, layer: str) -> str:
        """Output projection and the gated MLP, each added to the residual stream."""
        [projected] = self.linears(attended, [f"{layer}.self_attn.o_proj"])
        hidden = self.op("Add", residual, projected)
        normed = self.rms_norm(hidden, f"{layer}.post_attention_layernorm")
        gate, up = self.linears(normed, [f"{layer}.mlp.gate_proj", f"{layer}.mlp.up_proj"])
        gated = self.op("Mul", self.op("QuickGelu", gate, domain=CONTRIB, alpha=1.0), up)  # alpha 1 is SiLU
        [down] = self.linears(gated, [f"{layer}.mlp.down_proj"])
        return self.op("Add", hidden, down)

    # Operators.

    def linears(self, hidden: str, names: list[str]) -> list[str]:
        """Linear layers over one input, which is quantised once for all of them."""
        if self.precision == "fp32":
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
        """The same in float32; the dequantised weight is folded into a constant when the graph is loaded."""
        weight = self.op(
            "DequantizeLinear", self.weight(f"{name}.weight"), self.weight(f"{name}.weight{SCALE_SUFFIX}"), axis=1
        )
        product = self.op("MatMul", hidden, weight)
        return self.op("Add", product, self.weight(f"{name}.bias")) if f"{name}.bias" in self.places else product

    def embed(self, ids: str) -> str:
        """Token vectors from the int8 table both halves share. Shape: (T,) -> (1, T, K)."""
        table = "encoder.embeddings.word_embeddings.weight"
        rows = self.op("Cast", self.op("Gather", self.weight(table), ids), to=TensorProto.FLOAT)
        scales = self.op(
            "Unsqueeze", self.op("Gather", self.weight(table + SCALE_SUFFIX), ids), self.constant(np.array([1]))
        )
        return self.op("Unsqueeze", self.op("Mul", rows, scales), self.constant(np.array([0])))

    def attention(self, query: str, key: str, value: str, *, heads: int, causal: bool = False) -> str:
        """Scaled dot-product attention over (1, T, width)."""
        return self.op(
            "MultiHeadAttention", query, key, value, domain=CONTRIB, num_heads=heads, unidirectional=int(causal)
        )

    def rotate(self, states: str, offset: str) -> str:
        """Rotary positions from ``offset`` on."""
        config = self.spec.decoder
        per_head = config["hidden_size"] // config["num_attention_heads"]
        theta = (config.get("rope_parameters") or {}).get("rope_theta", 10000.0)
        frequencies = 1.0 / theta ** (np.arange(0, per_head, 2, dtype=np.float64) / per_head)
        angles = np.outer(np.arange(config["max_position_embeddings"]), frequencies)
        cos, sin = (self.constant(table.astype(np.float32)) for table in (np.cos(angles), np.sin(angles)))
        return self.op("RotaryEmbedding", states, offset, cos, sin, domain=CONTRIB,
                       num_heads=config["num_attention_heads"], rotary_embedding_dim=0)  # fmt: skip

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
        name = f"constant_{value.dtype}_{hash(value.tobytes()) & 0xFFFFFFFF:08x}"
        self.initializers.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str) -> str:
        """A tensor of the weight file, by its place there."""
        if name not in self.initializers:
            dtype, shape, offset, size = self.places[name]
            tensor = TensorProto(name=name, data_type=DTYPES[dtype], dims=shape, data_location=TensorProto.EXTERNAL)
            for key, value in (("location", WEIGHTS_FILE), ("offset", str(offset)), ("length", str(size))):
                tensor.external_data.add(key=key, value=value)
            self.initializers[name] = tensor
        return name
