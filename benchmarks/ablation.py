"""Which parts of Causal2Vec matter? Eight ways to make an embedding of one small language model, one table.

    python benchmarks/ablation.py --encoder MINILM_FOLDER --prose DIR --pairs DIR --data DIR_OF_SETS --work DIR

First a small Llama is trained on prose to predict the next token (no pretrained LLM is needed). From that backbone
every variant is trained for the same number of steps on the same pairs in the same order, with each seed, and
measured on evaluation sets in BEIR layout. Running the command again continues: the backbone from its checkpoint,
the runs after the last finished one (one JSON file for each under ``--work``). The table goes into docs/ablation.md
between its markers, the figures into benchmarks/results/ablation.json. Nothing of the data is part of the project.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ablations.backbone import (
    BackboneConfig,
    load_encoder,
    load_tokenizer,
    make_decoder,
    pretrain,
    read_prose,
    resume,
)
from ablations.cost import costs
from ablations.run import (
    EvalSet,
    Model,
    RunConfig,
    TextEncoder,
    Texts,
    encoder_quality,
    make_model,
    read_set,
    run_variant,
)
from ablations.table import markdown, summary
from ablations.variants import VARIANTS
from bench import ROOT, report

from c2vsearch.training.pairs import Pair, read_pairs

SETS = "adi,legalsum,cranfield"
SOURCES = "wiki_questions,medquad,textbook_sections,pmlr_title_abstract,arxiv_title_abstract,pubmedqa"
WEIGHTS = {"wiki_questions": 2.0, "arxiv_title_abstract": 0.5, "pubmedqa": 4.0}
DOCUMENT = ROOT / "docs" / "ablation.md"
BEGIN, END = "<!-- table: written by benchmarks/ablation.py -->", "<!-- end of table -->"
BASELINE, ENCODER_ALONE = "causal2vec", "encoder"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of a BERT-type sentence encoder")
    parser.add_argument("--prose", type=Path, required=True, help="folder of *.jsonl(.xz) with a text a line")
    parser.add_argument("--pairs", type=Path, required=True, help="folder of *.jsonl(.xz) with query and positive")
    parser.add_argument("--data", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--work", type=Path, required=True, help="where the backbone and the runs are kept")
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--sources", default=SOURCES)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=BackboneConfig().layers)
    parser.add_argument("--backbone-steps", type=int, default=BackboneConfig().steps)
    parser.add_argument("--steps", type=int, default=RunConfig().steps)
    parser.add_argument("--batch", type=int, default=RunConfig().pairs)
    parser.add_argument("--lr", type=float, default=RunConfig().learning_rate)
    parser.add_argument("--temperature", type=float, default=RunConfig().temperature)
    parser.add_argument("--table", action="store_true", help="run nothing: the table of what is finished")
    parser.add_argument("--freeze-encoder", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


class Study:
    """Everything the runs share, loaded once."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.config = RunConfig(
            steps=args.steps, pairs=args.batch, learning_rate=args.lr, temperature=args.temperature,
            freeze_encoder=args.freeze_encoder,
        )  # fmt: skip
        self.tokenizer = load_tokenizer(args.encoder)
        self.encoder = load_encoder(args.encoder)
        cls, eos = (self.tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
        self.texts = Texts(self.tokenizer, cls=cls, eos=eos)
        self.frozen = TextEncoder(self.encoder, self.texts, frozen=True)
        self.backbone_config = BackboneConfig(layers=args.layers, steps=args.backbone_steps)
        self.decoder = make_decoder(self.backbone_config, self.encoder.get_input_embeddings().weight.detach())

    def pretrain(self) -> dict[str, float]:
        """Train the backbone, or take it from where it is."""
        path, config = self.args.work / "backbone.json", self.backbone_config
        if path.exists() and resume(self.decoder, self.args.work, config) == config.steps:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        texts = read_prose(self.args.prose)
        reached = pretrain(self.decoder, texts, self.tokenizer, config, end=self.texts.eos, out=self.args.work)
        path.write_text(json.dumps(reached), encoding="utf-8")
        return reached

    def model(self, name: str, seed: int) -> Model:
        """A variant before its training, over a copy of the backbone (and of an encoder that is trained along)."""
        variant, encoder = VARIANTS[name], None
        torch.manual_seed(seed)
        if variant.encoder == "random":
            encoder = TextEncoder(load_encoder(self.args.encoder, random_weights=True), self.texts, frozen=False)
        elif variant.context and not self.config.freeze_encoder:
            encoder = TextEncoder(copy.deepcopy(self.encoder), self.texts, frozen=False)
        elif variant.context:
            encoder = self.frozen
        return make_model(variant, copy.deepcopy(self.decoder), self.texts, encoder, self.config, seed=seed)


def read_sources(folder: Path, names: list[str]) -> dict[str, list[Pair]]:
    """The named files of pairs."""
    paths = {path.name.split(".")[0]: path for path in folder.glob("*.jsonl*")}
    if missing := sorted(set(names) - set(paths)):
        raise SystemExit(f"{folder} has no file of pairs {missing[0]!r}; expected some of {', '.join(sorted(paths))}")
    return {name: read_pairs(paths[name]) for name in names}


def run_all(study: Study, sources: dict[str, list[Pair]], sets: list[EvalSet]) -> dict[str, list[dict[str, Any]]]:
    """Every variant with every seed, a seed at a time; what is finished is read from its file."""
    results: dict[str, list[dict[str, Any]]] = {}
    settings = asdict(study.config) | {"backbone": asdict(study.backbone_config), "sources": sorted(sources)}
    names = sorted(study.args.sets.split(","))
    for seed in range(study.args.seeds):
        for name in study.args.variants.split(","):
            path = study.args.work / f"{name}-{seed}.json"
            if study.args.table and not path.exists():
                continue
            if not path.exists():
                result = run_variant(study.model(name, seed), sources, WEIGHTS, sets, seed=seed)
                part = path.with_suffix(".part")
                part.write_text(json.dumps({"settings": settings, **result}), encoding="utf-8")
                part.replace(path)
            result = json.loads(path.read_text(encoding="utf-8"))
            measured = sorted(result["nDCG@10"])
            if result["settings"] != settings or measured != names:
                raise SystemExit(
                    f"{path} was run with {result['settings']} on {measured}; expected {settings} on {names}: "
                    "use another --work"
                )
            results.setdefault(name, []).append(result)
            means = {one: round(sum(values) / len(values), 4) for one, values in result["nDCG@10"].items()}
            print(name, seed, f"loss {result['loss_last']:.3f}", f"train s {result['train_s']}", means, flush=True)
    return results


def write_table(text: str) -> None:
    """Put the tables between the markers of the document."""
    old = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else f"# Ablation\n\n{BEGIN}\n{END}\n"
    before, rest = old.split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> None:
    """Backbone, runs, table."""
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    study = Study(args)
    reached = study.pretrain()
    print("backbone", reached, flush=True)
    sets = [read_set(args.data / name) for name in args.sets.split(",")]
    results = run_all(study, read_sources(args.pairs, args.sources.split(",")), sets)
    rows = summary(results, baseline=BASELINE)
    labels = {name: variant.label for name, variant in VARIANTS.items()}
    alone = {"seed": 0, "nDCG@10": encoder_quality(study.frozen, sets, study.config.eval_tokens)}
    rows[ENCODER_ALONE] = summary({ENCODER_ALONE: [alone]}, baseline="")[ENCODER_ALONE]
    labels[ENCODER_ALONE] = "the encoder of (a) alone, untrained"
    # A frozen encoder remembers its vectors; while timing it has to work.
    timed = {name: study.model(name, 0) for name in results}
    cost = costs(timed, text_tokens=study.config.eval_tokens)
    for name, figures in cost.items():
        figures["parameters_trained"] = results[name][0]["parameters_trained"]
    write_table(markdown(rows, labels, cost))
    report("ablation", {
        "settings": asdict(study.config) | {"backbone": asdict(study.backbone_config)}, "backbone": reached,
        "sources": args.sources, "sets": args.sets, "quality": rows, "cost": cost,
    })  # fmt: skip


if __name__ == "__main__":
    main()
