"""The whole of a run: read, train, keep checkpoints, merge, write the model folder and its curves.

A run's folder holds ``config.json`` (settings and data, for ``resume``), ``log.jsonl``, ``checkpoints/``, at the end
``model/`` (an ordinary Causal2Vec folder, also for sentence-transformers), ``adapter/`` where there were adapters, and
``curves.png`` and ``curves.html``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2vsearch.artifacts import checksum, write_bytes
from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.optional import require
from c2vsearch.terminal import visible_line
from c2vsearch.training.batching import PairSet, check_weights, pair_files, read_sets
from c2vsearch.training.config import TrainingConfig, differences

if TYPE_CHECKING:
    from c2vsearch.training.pairs import Pair
    from c2vsearch.training.trainer import PairTrainer, Report

RECORD_FILE = "config.json"
LOG_FILE = "log.jsonl"
MODEL_FOLDER = "model"
ADAPTER_FOLDER = "adapter"
# May differ when a run is resumed: they change nothing that is computed.
FREE = {"training.output", "training.keep", "training.workers"}


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made.

    Args:
        folder: The model.
        steps: Steps made, all in all.
        pairs: Pairs trained on, by data set.
        values: The last numbers of the log.
    """

    folder: Path
    steps: int
    pairs: Mapping[str, int]
    values: Mapping[str, float]


def train(config: TrainingConfig, *, resume: bool = False, report: Report | None = None) -> Trained:
    """Train a model as the configuration says.

    Args:
        config: See `TrainingConfig`, or `read_config` for a file.
        resume: Go on from the last checkpoint of ``output``; the result is that of a run that was never stopped.
        report: Called after every step with a `Progress`.

    Raises:
        InvalidConfig: A setting cannot be, the output holds another run, or a resumed run has changed.
        InvalidDataset: A training file or line cannot be read.
        ModelNotFound: A backbone is not there.
        DivergedTraining: The loss or a gradient is not finite; the last checkpoint is good.
        OutOfDeviceMemory: The device cannot hold a part of the batch.
        MissingDependency: The extra ``train`` is not installed.
    """
    check_packages()
    output = Path(config.training.output)
    record = {**config.to_record(), "files": _data_record(config)}
    checkpoint = _checkpoint(output, record, resume=resume)
    sets, held_out = read_sets(
        config.data.files,
        hard_negatives=config.data.hard_negatives,
        held_out=config.data.held_out,
        seed=config.training.seed,
    )
    for key in ("weights", "tasks"):
        check_weights(sets, getattr(config.data, key), key)
    with _out_of_memory(config):
        return _run(config, record, sets, held_out, checkpoint, report)


def check_packages() -> None:
    """Say before an hour of work what is not installed.

    Raises:
        MissingDependency: One of the packages of the extra ``train``.
    """
    for package in ("torch", "transformers", "sentence_transformers", "accelerate", "datasets", "peft", "matplotlib"):
        require(package, extra="train", purpose="training")


def _run(  # the order of a run, with everything it needs
    config: TrainingConfig,
    record: Mapping[str, Any],
    sets: Sequence[PairSet],
    held_out: Mapping[str, Sequence[Pair]],
    checkpoint: Path | None,
    report: Report | None,
) -> Trained:
    from c2vsearch.integrations.sentence_transformers import Causal2VecModule, wrap
    from c2vsearch.training.held_out import evaluator
    from c2vsearch.training.start import start_model
    from c2vsearch.training.trainer import Journal, PairTrainer

    output = Path(config.training.output)
    model, tokenizer = start_model(config)
    _check_widths(config, model.spec)
    module = Causal2VecModule(model, tokenizer)
    trainer = PairTrainer(wrap(module), config, sets, output=output)
    main = trainer.is_world_process_zero()
    if config.training.batch_size % trainer.args.world_size:
        raise InvalidConfig(
            f"batch_size is {config.training.batch_size}; expected a multiple of the {trainer.args.world_size} devices"
        )
    if main:
        output.mkdir(parents=True, exist_ok=True)
        _write_json(output / RECORD_FILE, record)
        _cut_log(output / LOG_FILE, _step(checkpoint))
    evaluate = evaluator(module, held_out, config) if held_out else None
    journal = Journal(output / LOG_FILE, config, evaluate, report)
    trainer.add_callback(journal)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if main:
        _finish(trainer, module, output)
    trainer.accelerator.wait_for_everyone()
    counts: dict[str, int] = {}
    for part in sets:
        counts[part.source] = counts.get(part.source, 0) + len(part.pairs)
    return Trained(output / MODEL_FOLDER, trainer.state.global_step, counts, journal.values)


def _finish(trainer: PairTrainer, module: Any, output: Path) -> None:
    """Write the model folder beside its place and move it there, so that it is whole or absent."""
    from c2vsearch.integrations.sentence_transformers import save_sentence_transformer
    from c2vsearch.model.checkpoint import save
    from c2vsearch.training.curves import draw_curves
    from c2vsearch.training.start import merge_adapters

    model = trainer.accelerator.unwrap_model(trainer.model)[0].model
    if hasattr(model.decoder, "peft_config"):
        model.decoder.save_pretrained(str(output / ADAPTER_FOLDER))
    merge_adapters(model)
    model.eval()
    draft = output / f"{MODEL_FOLDER}.part"
    shutil.rmtree(draft, ignore_errors=True)
    save(model, draft, tokenizers=module.tokenizer)
    save_sentence_transformer(draft)
    shutil.rmtree(output / MODEL_FOLDER, ignore_errors=True)
    draft.rename(output / MODEL_FOLDER)
    draw_curves(output / LOG_FILE, output)


def _checkpoint(output: Path, record: Mapping[str, Any], *, resume: bool) -> Path | None:
    """Where to go on from; nothing for a new run.

    A run that is resumed before its first checkpoint begins anew.
    """
    known = output / RECORD_FILE
    if not resume:
        # Of several processes the first writes the record, perhaps before another one looks.
        if os.environ.get("RANK", "0") == "0" and (known.exists() or (output / MODEL_FOLDER).exists()):
            raise InvalidConfig(
                f"{visible_line(str(output))} holds a run already; go on with it (--resume) or name another output"
            )
        return None
    from c2vsearch.training.trainer import last_checkpoint

    if not known.is_file():
        raise InvalidConfig(f"{visible_line(str(output))} holds no run to resume; start it without --resume")
    before = json.loads(known.read_text(encoding="utf-8"))
    changed = [line for line in differences(before, record) if line.partition(":")[0] not in FREE]
    if changed:
        lines = "\n  ".join(changed)
        raise InvalidConfig(
            f"the run in {visible_line(str(output))} was started with other settings; expected the same:\n  {lines}"
        )
    return last_checkpoint(output)


def _data_record(config: TrainingConfig) -> dict[str, str]:
    """A checksum for each file of pairs: other data make another run."""
    return {str(path): checksum(path)[:16] for path in pair_files(config.data.files)}


def _check_widths(config: TrainingConfig, spec: Any) -> None:
    for dim in config.loss.matryoshka:
        spec.checked_dim(dim)
    if spec.parts != 2 and (config.loss.context_weight or config.loss.eos_weight):
        raise InvalidConfig(
            f"context_weight and eos_weight are losses of the halves, and pooling is {spec.pooling!r}; set them to 0"
        )


def _cut_log(path: Path, step: int) -> None:
    """Forget what was logged after the checkpoint a run goes on from."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _step(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def _out_of_memory(config: TrainingConfig) -> Iterator[None]:
    """One line that names what to lower."""
    import torch

    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        raise OutOfDeviceMemory(_advice(config)) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfDeviceMemory(_advice(config)) from error


def _advice(config: TrainingConfig) -> str:
    run, data = config.training, config.data
    lower = [f"training.mini_batch_size ({run.mini_batch_size or f'0: all {run.batch_size}'})"]
    lower.append(f"data.max_document_tokens ({data.max_document_tokens})")
    lower.append(f"data.max_query_tokens ({data.max_query_tokens})")
    text = f"the device's memory does not hold one part of a batch; lower {', '.join(lower)}"
    return text if run.gradient_checkpointing else f"{text}, or set training.gradient_checkpointing = true"
