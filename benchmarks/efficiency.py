"""What does the contextual token cost, and what does it save? FLOPs of a 7B-shaped model, times of a small one.

    python benchmarks/efficiency.py [--rounds 5] [--device cuda --shape 7b --batch 16]

Compared for texts of 128, 256 and 512 tokens: Causal2Vec (the encoder reads the text, the decoder reads C, text, EOS)
with plain last-token pooling (text, EOS), with echo (text, text, EOS), and with in-context examples (a prompt of
2048 tokens, the text in it) with and without a cache of the examples' keys and values. FLOPs are exact: by formula, and
counted by torch on the meta device. Times are of whole forward passes of random weights, run in turns; by default of a
small shape with the same ratio of encoder to decoder, on the CPU. With ``--device cuda --shape 7b`` they are of the
full shape in bfloat16, for a machine with a GPU of at least 20 GB.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from bench import ROOT, report
from flops import DecoderShape, EncoderShape, projector_flops
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModel

from c2vsearch.model.batch import collate
from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.spec import ModelSpec
from c2vsearch.model.tokens import TokenizedText

LENGTHS = (128, 256, 512)
PROMPT_TOKENS = 2048
ENCODER_LIMIT = 512  # positions of E5-base; longer texts are cut for the encoder alone
BOUNDS = {"last-token": 1.05, "echo": 0.55, "in-context": 0.18}
SHAPES = {
    # Mistral-7B-v0.1 and E5-base-v2 as their config.json give them; and about a 150th of both.
    "7b": (
        DecoderShape(hidden=4096, layers=32, intermediate=14336, heads=32, kv_heads=8),
        EncoderShape(hidden=768, layers=12, intermediate=3072),
    ),
    "small": (
        DecoderShape(hidden=768, layers=6, intermediate=2688, heads=12, kv_heads=3),
        EncoderShape(hidden=128, layers=3, intermediate=512),
    ),
}
DOCUMENT = ROOT / "docs" / "ablation.md"
BEGIN, END = "<!-- table: written by benchmarks/efficiency.py -->", "<!-- end of efficiency table -->"


def method_flops(decoder: DecoderShape, encoder: EncoderShape, tokens: int) -> dict[str, int]:
    """FLOPs of one text of ``tokens`` tokens in every method; the decoder's sequence ends with EOS in all of them."""
    context = encoder.flops(min(tokens + 2, ENCODER_LIMIT)) + projector_flops(encoder.hidden, decoder.hidden)
    examples = PROMPT_TOKENS - tokens - 1
    return {
        "causal2vec": decoder.flops(tokens + 2) + context,
        "last-token": decoder.flops(tokens + 1),
        "echo": decoder.flops(2 * tokens + 1),
        "in-context": decoder.flops(PROMPT_TOKENS),
        "in-context, examples cached": decoder.flops(tokens + 1, prefix=examples),
    }


def ratios(costs: dict[str, float]) -> dict[str, float]:
    """Causal2Vec over each of the others.

    >>> ratios({"causal2vec": 3.0, "last-token": 2.0, "echo": 6.0})
    {'last-token': 1.5, 'echo': 0.5}
    """
    return {name: costs["causal2vec"] / cost for name, cost in costs.items() if name != "causal2vec"}


def longest_within(decoder: DecoderShape, encoder: EncoderShape, bound: float) -> int:
    """The longest text, in tokens, for which Causal2Vec stays within ``bound`` of a prompt with examples."""
    return max(
        tokens
        for tokens in range(1, PROMPT_TOKENS - 1)
        if ratios(dict(method_flops(decoder, encoder, tokens)))["in-context"] <= bound
    )


def configurations(shape: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Encoder and decoder as ``transformers`` configurations."""
    decoder, encoder = SHAPES[shape]
    bert = {"model_type": "bert", "vocab_size": 30522, "hidden_size": encoder.hidden, "type_vocab_size": 2,
            "num_hidden_layers": encoder.layers, "num_attention_heads": encoder.hidden // 64,
            "intermediate_size": encoder.intermediate, "max_position_embeddings": ENCODER_LIMIT}  # fmt: skip
    mistral = {"model_type": "mistral", "vocab_size": 32000, "hidden_size": decoder.hidden, "sliding_window": None,
               "num_hidden_layers": decoder.layers, "num_attention_heads": decoder.heads,
               "num_key_value_heads": decoder.kv_heads, "intermediate_size": decoder.intermediate,
               "max_position_embeddings": 4096}  # fmt: skip
    return bert, mistral


def count(config: dict[str, Any], tokens: int) -> int:
    """FLOPs of a forward pass as torch counts them, on the meta device: no memory, no arithmetic."""
    values = dict(config)
    made = AutoConfig.for_model(values.pop("model_type"), **values, attn_implementation="eager")
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        model = AutoModel.from_config(made).eval()
        model.pooler = None
        model(input_ids=torch.ones(1, tokens, dtype=torch.long))
    return int(counter.get_total_flops())


def counted(shape: str, tokens: int) -> dict[str, int]:
    """Counted FLOPs of the three methods that need no cache, for comparison with the formula."""
    bert, mistral = configurations(shape)
    projection = projector_flops(bert["hidden_size"], mistral["hidden_size"])
    return {
        "causal2vec": count(mistral, tokens + 2) + count(bert, min(tokens + 2, ENCODER_LIMIT)) + projection,
        "last-token": count(mistral, tokens + 1),
        "echo": count(mistral, 2 * tokens + 1),
        "in-context": count(mistral, PROMPT_TOKENS),
    }


def make_model(shape: str, device: str) -> Causal2Vec:
    """A Causal2Vec model of random weights in bfloat16."""
    bert, mistral = configurations(shape)
    spec = ModelSpec(name=shape, encoder=bert, decoder=mistral, max_tokens=PROMPT_TOKENS, eos_token_id=2)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            return Causal2Vec(spec).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def passes(model: Causal2Vec, tokens: int, *, batch: int, device: str) -> dict[str, Callable[[], object]]:
    """A forward pass of ``batch`` texts for each method."""

    def decode(length: int) -> Callable[[], object]:
        ids = torch.randint(3, 30000, (batch, length)).to(device)
        return lambda: model.decoder(input_ids=ids, use_cache=False)

    row = tuple(torch.randint(3, 30000, (tokens,)).tolist())
    text = TokenizedText(encoder=(101, *row, 102)[:ENCODER_LIMIT], before=(), after=(*row, 2))
    both = collate([text] * batch).to(device)
    return {
        "causal2vec": lambda: model(both),
        "last-token": decode(tokens + 1),
        "echo": decode(2 * tokens + 1),
        "in-context": decode(PROMPT_TOKENS),
    }


@torch.no_grad()
def seconds(runs: dict[str, Callable[[], object]], *, rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of each in every turn after one warm-up; the runs take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            _wait(device)
            began = time.perf_counter()
            run()
            _wait(device)
            if turn:
                times[name].append(time.perf_counter() - began)
    return times


def turn_ratios(times: dict[str, list[float]]) -> dict[str, float]:
    """Causal2Vec over each of the others: the median of the turns' own ratios, so that a drifting machine cancels out.

    >>> turn_ratios({"causal2vec": [1.0, 10.0, 3.0], "echo": [2.0, 20.0, 4.0]})
    {'echo': 0.5}
    """
    turns = [ratios(dict(zip(times, turn, strict=True))) for turn in zip(*times.values(), strict=True)]
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def markdown(results: dict[str, Any]) -> str:
    """Ratios of Causal2Vec to the others, by length; bounds and whether they hold."""
    timed = f"time, {results['shape_timed']} shape, {results['device']}"
    lines = [f"| tokens | Causal2Vec over | bound | FLOPs, 7B shape | holds | {timed} |", "|---|---|---|---|---|---|"]
    for length in LENGTHS:
        entry = results["lengths"][str(length)]
        for name, ratio in entry["flops_ratio_7b"].items():
            bound, clock = BOUNDS.get(name), entry["time_ratio"].get(name)
            cells = [str(length), name, f"{bound:.2f}" if bound else "", f"{ratio:.3f}"]
            cells += [("yes" if ratio <= bound else "**no**") if bound else "", f"{clock:.3f}" if clock else ""]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Count, time, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small")
    args = parser.parse_args()
    model = make_model(args.shape, args.device)
    results: dict[str, Any] = {
        "shape_timed": args.shape, "device": args.device, "batch": args.batch, "threads": torch.get_num_threads(),
        "gpu": "measured" if args.device.startswith("cuda") else "not measured on a GPU", "bounds": BOUNDS,
        "decoder_parameters_7b": SHAPES["7b"][0].parameters,
        "longest_text_within_in_context_bound": longest_within(*SHAPES["7b"], BOUNDS["in-context"]), "lengths": {},
    }  # fmt: skip
    for length in LENGTHS:
        by_formula, by_torch = method_flops(*SHAPES["7b"], length), counted("7b", length)
        if any(by_formula[name] != value for name, value in by_torch.items()):
            raise SystemExit(f"the formula gives {by_formula}, torch counts {by_torch}; expected the same")
        clock = seconds(
            passes(model, length, batch=args.batch, device=args.device), rounds=args.rounds, device=args.device
        )
        results["lengths"][str(length)] = {
            "flops_7b": by_formula,
            "flops_ratio_7b": ratios(dict(by_formula)),
            f"flops_ratio_{args.shape}": ratios(dict(method_flops(*SHAPES[args.shape], length))),
            "seconds": {name: statistics.median(values) for name, values in clock.items()},
            "time_ratio": turn_ratios(clock),
        }
        print(length, results["lengths"][str(length)], flush=True)
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{markdown(results)}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    report("efficiency", results)


if __name__ == "__main__":
    main()
