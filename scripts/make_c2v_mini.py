r"""Make c2v-mini: a MiniLM encoder, a residual projector and a small Llama decoder, warm-started and exported.

    python scripts/make_c2v_mini.py --texts DIR_OF_PAIRS --texts DIR_OF_PROSE --encoder MINILM_FOLDER \
        --evaluation DIR_OF_SETS --out OUT

Counts in how many texts each token stands (one text in ``--every``; texts that share a run of words with an
evaluation set are left out), takes encoder vectors of a sample, starts the model (`c2vsearch.training.warm_start`)
and writes the folder of both runtimes. Seeded: the same inputs and the same torch give the same weights.
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from c2vsearch.encoder.windows import windows
from c2vsearch.evaluation import is_beir
from c2vsearch.model.batch import collate
from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.checkpoint import load, revision, save
from c2vsearch.model.onnx_graph import write_graphs
from c2vsearch.model.spec import ModelSpec
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.training.leaks import EvaluationTexts
from c2vsearch.training.warm_start import NORM_EPS, calibrate, token_table, warm_start

MAX_CHARS = 1500
CALIBRATED = 400  # texts
FIRST_WORD = 999  # rows before it are special and unused tokens


def make_spec(encoder: dict[str, object], *, layers: int, width: int) -> ModelSpec:
    """MiniLM's configuration beside a Llama decoder of the same width that shares its token embeddings."""
    decoder = {
        "model_type": "llama",
        "vocab_size": encoder["vocab_size"],
        "hidden_size": encoder["hidden_size"],
        "intermediate_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "max_position_embeddings": 1024,
        "rms_norm_eps": NORM_EPS,
        "initializer_range": 0.02,
        "hidden_act": "silu",
        "attention_bias": True,
    }
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    keep = ("model_type", *sizes, "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act")
    return ModelSpec(
        name="c2v-mini", version="1", encoder={key: encoder[key] for key in keep}, decoder=decoder, max_tokens=510,
        window_tokens=126, bos_token_id=101, eos_token_id=102, encoder_pooling="mean", projector_residual=True,
        tied_token_embeddings=True, float_layers=("decoder.layers.0.mlp",),
    )  # fmt: skip


def read_texts(folders: list[Path], every: int) -> Iterator[str]:
    """One text in ``every`` of each file: the answer of a pair, or a section."""
    for path in sorted(path for folder in folders for path in folder.glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file):
                if number % every == 0:
                    row = json.loads(line)
                    yield (row.get("positive") or row["text"])[:MAX_CHARS]


def count(texts: list[str], tokenizer: Tokenizer) -> torch.Tensor:
    """In how many texts each token stands. Shape: (V,)."""
    counts = torch.zeros(tokenizer.get_vocab_size())
    for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
        counts[sorted(set(encoding.ids))] += 1
    return counts


@torch.inference_mode()
def encoder_vectors(model: Causal2Vec, tokenizer: TextTokenizer, texts: list[str]) -> torch.Tensor:
    """The encoder's unit vectors of texts of one window. Shape: (N, H)."""
    rows = []
    for start in range(0, len(texts), 32):
        batch = collate(tokenizer.tokenize(texts[start : start + 32]))
        states = model.encoder(input_ids=batch.encoder_ids, attention_mask=batch.encoder_mask).last_hidden_state
        rows.append(model.pool_encoder(states, batch.encoder_mask))
    return torch.cat(rows)


def make(args: argparse.Namespace) -> str:
    """Write the folder and return its revision."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    encoder = AutoModel.from_pretrained(args.encoder, add_pooling_layer=False)
    model = Causal2Vec(make_spec(encoder.config.to_dict(), layers=args.layers, width=args.width))
    model.encoder.load_state_dict(encoder.state_dict(), strict=False)
    model.eval()
    words = Tokenizer.from_file(str(args.encoder / "tokenizer.json"))
    tokenizer = TextTokenizer(model.spec, encoder=words, decoder=words)
    texts = list(read_texts(args.texts, args.every))
    if args.evaluation:
        known = EvaluationTexts.read(sorted(path for path in args.evaluation.iterdir() if is_beir(path)))
        texts = [text for text in texts if known.leak([text]) is None]
    frequencies = count(texts, words)
    chosen = np.random.default_rng(args.seed).choice(len(texts), min(args.sample, len(texts)), replace=False)
    cut = [windows(texts[index], tokenizer=tokenizer, max_tokens=model.spec.window)[0][0] for index in sorted(chosen)]
    sample = encoder_vectors(model, tokenizer, cut)
    embeddings = model.encoder.get_input_embeddings().weight.detach()
    table = token_table(embeddings, frequencies, texts=len(texts), first=FIRST_WORD, exponent=args.exponent)
    warm_start(model, table, sample, bag_scale=args.bag_scale, epochs=args.epochs, seed=args.seed)
    save(model, args.out, tokenizers=tokenizer, int8=True)
    rounded = load(args.out)
    batch = collate(tokenizer.tokenize(cut[:CALIBRATED]))
    calibrate(rounded, table, batch, sample[:CALIBRATED], bag_scale=args.bag_scale)
    save(rounded, args.out, tokenizers=tokenizer, int8=True)
    write_graphs(args.out, model.spec)
    print(f"{len(texts)} texts counted, {len(sample)} encoded")
    return revision(args.out)


def main() -> None:
    """Parse and make."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, action="append")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    sizes = {"every": 7, "sample": 3000, "layers": 2, "width": 1536, "epochs": 40, "seed": 20261123, "threads": 2}
    for name, number in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    for option, default in (("bag-scale", 0.6), ("exponent", 0.75)):
        parser.add_argument(f"--{option}", type=float, default=default)
    print(make(parser.parse_args()))


if __name__ == "__main__":
    main()
