"""Train c2v-mini: a MiniLM encoder (frozen), a residual projector and a small Llama decoder, warm-started.

    python scripts/train_c2v_mini.py --data DIR_OF_PAIRS --encoder MINILM_FOLDER --out runs/mini

Continues from the last checkpoint under ``--out`` when there is one. One JSON line of log every 20 steps in
``log.jsonl``; a checkpoint is written every ``--save-every`` steps. Seeds are fixed; the order of the data is a
function of the seed and of the step at which the run was continued.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnx.utils
import onnxruntime
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from c2vsearch.config import TASKS
from c2vsearch.model.batch import collate
from c2vsearch.model.causal2vec import Causal2Vec, States
from c2vsearch.model.checkpoint import graph_path
from c2vsearch.model.checkpoint import save as save_folder
from c2vsearch.model.onnx_graph import write_graphs
from c2vsearch.model.spec import ModelSpec
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from c2vsearch.training.losses import distillation, info_nce
from c2vsearch.training.pairs import Pair, batches, read_pairs
from c2vsearch.training.warm_start import warm_start

WEIGHTS = {"wiki_questions": 4.0, "medquad": 1.5, "textbook_sections": 1.5, "textbook_exercises": 2.0, "covid_qa": 2.0,
           "pubmedqa": 3.0, "interview_qa": 2.0, "glossary": 0.5, "factbook": 0.3, "shell_commands": 0.15,
           "wordnet_definitions": 0.05, "docs_sections": 0.4, "code_doc_pairs": 0.3, "stackoverflow_title_code": 0.4,
           "security_rules": 0.5, "arxiv_title_abstract": 1.0, "pmlr_title_abstract": 1.5}  # fmt: skip
CODE = {"code_doc_pairs", "stackoverflow_title_code", "shell_commands"}


def make_spec(encoder: dict[str, object], layers: int) -> ModelSpec:
    """MiniLM's configuration beside a Llama decoder of the same width that shares its token embeddings."""
    decoder = {
        "model_type": "llama",
        "vocab_size": 30522,
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": layers,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-6,
        "initializer_range": 0.02,
        "hidden_act": "silu",
    }
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    keep = ("model_type", *sizes, "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act")
    return ModelSpec(name="c2v-mini", encoder={key: encoder[key] for key in keep}, decoder=decoder, max_tokens=510,
                     eos_token_id=102, encoder_pooling="mean", projector_residual=True,
                     tied_token_embeddings=True)  # fmt: skip


def start(encoder_folder: Path, layers: int) -> tuple[Causal2Vec, TextTokenizer]:
    """A model that equals its encoder (see `warm_start`) and its tokenizer."""
    encoder = AutoModel.from_pretrained(encoder_folder, add_pooling_layer=False)
    model = Causal2Vec(make_spec(encoder.config.to_dict(), layers))
    model.encoder.load_state_dict(encoder.state_dict(), strict=False)
    tokenizer = Tokenizer.from_file(str(encoder_folder / "tokenizer.json"))
    words = torch.nn.functional.normalize(model.encoder.get_input_embeddings().weight.detach()[1000:], dim=1)
    warm_start(model, words, marker_scale=0.5, sharpness=12.0)
    return model, TextTokenizer(model.spec, encoder=tokenizer, decoder=tokenizer)


def cut(text: TokenizedText, limit: int) -> TokenizedText:
    """Training alone cuts texts, for speed: special tokens stay at both ends."""
    after = text.after if len(text.after) <= limit else (*text.after[: limit - 1], text.after[-1])
    encoder = text.encoder if len(text.encoder) <= limit else (*text.encoder[: limit - 1], text.encoder[-1])
    return TokenizedText(encoder=encoder, before=text.before, after=after)


def frozen_encoder(model: Causal2Vec, tokenizers: Path, folder: Path) -> Callable[[list[TokenizedText]], torch.Tensor]:
    """The encoder half as it will be shipped: int8 in ONNX Runtime, several times faster than torch on a CPU.

    The decoder therefore learns on the vectors it will meet.
    """
    save_folder(model, folder, tokenizers=tokenizers, int8=True)
    write_graphs(folder, model.spec)
    graph = onnx.load(graph_path(folder, "int8"), load_external_data=False)
    part = onnx.utils.Extractor(graph).extract_model(["encoder_ids"], ["encoder_states"])
    onnx.save(part, folder / "encoder.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), options)
    pool = ThreadPoolExecutor(2)

    def vector(text: TokenizedText) -> torch.Tensor:
        [states] = session.run(["encoder_states"], {"encoder_ids": np.array(text.encoder)})
        return torch.nn.functional.normalize(torch.from_numpy(states.mean(axis=0)), dim=0)

    return lambda texts: torch.stack(list(pool.map(vector, texts)))


def loss_of(
    model: Causal2Vec,
    encode: Callable[[list[TokenizedText]], torch.Tensor],
    tokenizer: TextTokenizer,
    pairs: list[Pair],
    source_is_code: bool,
    args: argparse.Namespace,
    generator: torch.Generator,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Contrastive loss of the embedding and of its EOS half, and distillation from the encoder."""
    with_instruction = torch.rand((), generator=generator).item() < 0.9
    task = TASKS["code"] if source_is_code else None
    instruction = model.spec.instruction(task) if with_instruction else ""
    asked = tokenizer.tokenize([pair.query for pair in pairs], instruction=instruction)
    queries = [cut(text, args.query_tokens) for text in asked]
    documents = [cut(text, args.document_tokens) for text in tokenizer.tokenize([pair.positive for pair in pairs])]
    states, teachers = [], []
    for texts in (queries, documents):
        batch = collate(texts)
        teacher = encode(texts)
        with torch.autocast("cpu", torch.bfloat16):
            state = model.decode(teacher, batch, teacher)
        states.append(States(state.context.float(), state.eos.float(), teacher))
        teachers.append(teacher)
    whole_q, whole_d = (model.pool(state) for state in states)
    eos_q, eos_d = (torch.nn.functional.normalize(state.eos, dim=1) for state in states)
    contrast = info_nce(whole_q, whole_d, temperature=args.temperature)
    eos = info_nce(eos_q, eos_d, temperature=args.temperature)
    distill = distillation(
        whole_q @ whole_d.T,
        teachers[0] @ teachers[1].T,
        temperature=args.temperature,
        teacher_temperature=args.teacher_temperature,
    )
    loss = contrast + args.eos_weight * eos + args.distill_weight * distill
    with torch.no_grad():
        base = info_nce(teachers[0], teachers[1], temperature=args.teacher_temperature)
    return loss, {"contrast": contrast.item(), "eos": eos.item(), "distill": distill.item(), "encoder": base.item()}


def save(model: Causal2Vec, out: Path, step: int) -> None:
    """The trained part only: the encoder is frozen."""
    trained = {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith("encoder.") and "embed_tokens" not in name
    }
    torch.save({"step": step, "trained": trained}, out / "checkpoint.tmp")
    (out / "checkpoint.tmp").replace(out / "checkpoint.pt")


def train(args: argparse.Namespace) -> None:
    """The loop: cosine schedule with warm-up, AdamW, gradient clipping."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    model, tokenizer = start(args.encoder, args.layers)
    first = 0
    if (args.out / "checkpoint.pt").exists():
        saved = torch.load(args.out / "checkpoint.pt", weights_only=True)
        model.load_state_dict(saved["trained"], strict=False)
        first = saved["step"]
    model.encoder.requires_grad_(False).eval()
    encode = frozen_encoder(model, args.encoder, args.out / "frozen")
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=args.lr, weight_decay=0.01, betas=(0.9, 0.98))
    paths = sorted(args.data.glob("*.jsonl*"))
    sources = {path.name.split(".")[0]: read_pairs(path) for path in paths}
    names = {id(pairs): name for name, pairs in sources.items()}
    code = {pair for name in CODE for pair in sources.get(name, [])}
    assert names
    stream = batches(sources, WEIGHTS, size=args.batch, seed=args.seed + first)
    generator = torch.Generator().manual_seed(args.seed + first)
    began = time.time()
    with (args.out / "log.jsonl").open("a") as log:
        for step in range(first, args.steps):
            scale = min(1.0, (step - first + 1) / args.warmup) * 0.5 * (1 + math.cos(math.pi * step / args.steps))
            for group in optimizer.param_groups:
                group["lr"] = args.lr * max(scale, 0.02)
            pairs = next(stream)
            loss, parts = loss_of(model, encode, tokenizer, pairs, pairs[0] in code, args, generator)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainable, 1.0)
            optimizer.step()
            if step % 20 == 0:
                line = {"step": step, "loss": loss.item(), **parts, "seconds": round(time.time() - began, 1)}
                print(json.dumps(line), file=log, flush=True)
            if (step + 1) % args.save_every == 0 or step + 1 == args.steps:
                save(model, args.out, step + 1)


def main() -> None:
    """Parse and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    sizes = {"steps": 1300, "batch": 48, "layers": 3, "seed": 20261123, "threads": 2, "warmup": 50}
    lengths = {"query-tokens": 48, "document-tokens": 128, "save-every": 100}
    for name, value in {**sizes, **lengths}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in (
        ("lr", 8e-5),
        ("temperature", 0.03),
        ("teacher-temperature", 0.05),
        ("eos-weight", 0.5),
        ("distill-weight", 1.0),
    ):
        parser.add_argument(f"--{name}", type=float, default=value)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
