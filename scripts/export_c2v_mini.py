"""Turn a training checkpoint into the bundled model: int8 weights, both ONNX graphs, tokenizer.

    python scripts/export_c2v_mini.py --checkpoint runs/mini --blend 0.4 --encoder MINILM --out OUT

``--blend`` is the share of the trained weights in the average with the warm start they came from (Wortsman et al.,
arXiv 2109.01903); 1 is the checkpoint itself. Without ``--checkpoint`` the untrained warm start is exported.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from train_c2v_mini import start

from c2vsearch.model.checkpoint import revision, save
from c2vsearch.model.onnx_graph import write_graphs


def export(args: argparse.Namespace) -> str:
    """Write the folder and return its revision."""
    encoder, out = args.encoder, args.out
    torch.manual_seed(args.seed)  # the warm start training began with
    model, _ = start(encoder, args.layers)
    if args.checkpoint is not None:
        began = model.state_dict()
        trained = torch.load(args.checkpoint / "checkpoint.pt", weights_only=True)["trained"]
        blend = {name: torch.lerp(began[name], value, args.blend) for name, value in trained.items()}
        model.load_state_dict(blend, strict=False)
    save(model, out, tokenizers=encoder, int8=True)
    path = out / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None  # the model decides what fits, not the tokenizer
    path.write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    write_graphs(out, model.spec)
    return revision(out)


def main() -> None:
    """Parse and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--blend", type=float, default=1.0)
    print(export(parser.parse_args()))


if __name__ == "__main__":
    main()
