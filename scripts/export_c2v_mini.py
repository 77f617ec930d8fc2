"""Turn a training checkpoint into the bundled model: int8 weights, both ONNX graphs, tokenizer.

    python scripts/export_c2v_mini.py --checkpoint runs/mini --encoder MINILM_FOLDER --out c2vsearch/model/bundled/c2v-mini

Without ``--checkpoint`` the untrained warm start is exported.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from train_c2v_mini import start

from c2vsearch.model.checkpoint import revision, save
from c2vsearch.model.onnx_graph import write_graphs


def export(checkpoint: Path | None, encoder: Path, out: Path, layers: int) -> str:
    """Write the folder and return its revision."""
    model, _ = start(encoder, layers)
    if checkpoint is not None:
        trained = torch.load(checkpoint / "checkpoint.pt", weights_only=True)["trained"]
        model.load_state_dict(trained, strict=False)
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
    args = parser.parse_args()
    print(export(args.checkpoint, args.encoder, args.out, args.layers))


if __name__ == "__main__":
    main()
