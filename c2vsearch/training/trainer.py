"""The trainer of sentence-transformers with our batches, our checkpoints and our way to stop.

What differs: batches come in an order that a seed decides (`batching`); a checkpoint holds the weights that learn, as
safetensors, beside the optimizer's state; and a gradient that is not finite stops the run before it reaches a weight.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, TrainerCallback

from c2vsearch.errors import CorruptFile, DivergedTraining
from c2vsearch.integrations.sentence_transformers import Causal2VecModule
from c2vsearch.training.batching import PairSet, batch_order
from c2vsearch.training.config import TrainingConfig
from c2vsearch.training.objective import Objective
from c2vsearch.training.pairs import Pair

CHECKPOINTS = "checkpoints"
LEARNED_FILE = "learned.safetensors"
STATE_FILE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: ``values`` are the last numbers of the log, such as loss and lr."""

    step: int
    steps: int
    values: Mapping[str, float]


Report = Callable[[Progress], None]
Evaluate = Callable[[], Mapping[str, float]]


class PairRows(Dataset[tuple[PairSet, Pair]]):
    """The pairs of some sets laid end to end, as `batch_order` counts them."""

    def __init__(self, sets: Sequence[PairSet]) -> None:
        self._rows = [(part, pair) for part in sets for pair in part.pairs]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> tuple[PairSet, Pair]:
        return self._rows[place]


class Batches:
    """The places of every batch of a run, on all devices: what a data loader calls a batch sampler."""

    def __init__(self, sets: Sequence[PairSet], config: TrainingConfig, *, devices: int) -> None:
        self._sets = sets
        self._config = config
        self._devices = devices
        self.batch_size = None  # not every batch is full: accelerate must not wait for those that are not
        self.drop_last = False

    def __len__(self) -> int:
        return self._config.training.steps * self._devices

    def __iter__(self) -> Iterator[list[int]]:
        run = self._config.training
        return batch_order(
            self._sets,
            self._config.data.weights,
            size=run.batch_size,
            steps=run.steps,
            parts=self._devices,
            seed=run.seed,
        )


class Columns:
    """Pairs of one set as tensors: the query under its instruction, its answer, its negatives, a teacher's scores."""

    def __init__(self, module: Causal2VecModule, config: TrainingConfig) -> None:
        self._module = module
        self._data = config.data

    def __call__(self, rows: Sequence[tuple[PairSet, Pair]]) -> dict[str, Tensor]:
        """One tensor for each feature of each column, and ``label``, the scores, where there are any."""
        part, pairs = rows[0][0], [pair for _, pair in rows]
        spec = self._module.model.spec
        texts = {"query": [pair.query for pair in pairs], "positive": [pair.positive for pair in pairs]}
        for place in range(part.negatives):
            texts[f"negative_{place}"] = [pair.negatives[place] for pair in pairs]
        batch: dict[str, Tensor] = {}
        for column, lines in texts.items():
            asked = column == "query"
            features = self._module.preprocess(
                lines,
                prompt=spec.instruction(self._data.tasks.get(part.source)) if asked else spec.document_template,
                max_length=self._data.max_query_tokens if asked else self._data.max_document_tokens,
            )
            batch.update({f"{column}_{name}": tensor for name, tensor in features.items()})
        if part.scored:
            batch["label"] = torch.tensor([pair.scores[: 1 + part.negatives] for pair in pairs])
        return batch


class PairTrainer(SentenceTransformerTrainer):
    """The loop of sentence-transformers over our batches."""

    def __init__(
        self, model: SentenceTransformer, config: TrainingConfig, sets: Sequence[PairSet], *, output: Path
    ) -> None:
        self._config = config
        self._sets = sets
        super().__init__(
            model=model,
            args=training_arguments(config, output),
            loss=Objective(model, model[0].model.spec, config.loss, mini_batch_size=config.training.mini_batch_size),
        )
        self.remove_callback(PrinterCallback)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No model card is written, so no texts are collected for one."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches of one data set each, the same number of texts on every device."""
        self.accelerator.even_batches = False
        loader = DataLoader(
            PairRows(self._sets),
            batch_sampler=Batches(self._sets, self._config, devices=self.args.world_size),
            collate_fn=Columns(self.model[0], self._config),
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        self._train_dataloader = self.accelerator.prepare(loader)
        return self._train_dataloader

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """One step up to the gradients.

        Raises:
            DivergedTraining: The loss or a gradient is not finite; no weight has been changed by it.
        """
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())
        if not (torch.isfinite(loss).all() and torch.isfinite(norm)):
            raise DivergedTraining(
                f"the loss is {loss.item():.4g} and the gradient {norm.item():.4g} long at step "
                f"{self.state.global_step + 1}; stopped before any weight changed. Lower lr or raise warmup_steps or "
                "temperature, and go on from the last checkpoint or anew"
            )
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """The trainer's numbers, and the parts of the loss."""
        parts = self.loss.take_parts() if "loss" in logs else {}
        super().log({**logs, **parts}, start_time)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach().cpu() for name, tensor in learned(self.model).items()}, folder / LEARNED_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_learned(self.model, Path(resume_from_checkpoint))


class Journal(TrainerCallback):
    """Writes ``log.jsonl``, one line for each entry of the trainer's log, and evaluates when it is time."""

    def __init__(self, path: Path, config: TrainingConfig, evaluate: Evaluate | None, report: Report | None) -> None:
        self._path = path
        self._every = config.training.eval_every
        self._evaluate = evaluate
        self._report = report
        self.values: dict[str, float] = {}
        self._began = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **more: Any) -> None:
        """Keep the numbers of a step; the summary at the end of a run is no step."""
        if logs and "train_runtime" not in logs:
            self._write(state, {name: float(value) for name, value in logs.items() if name != "epoch"})

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Evaluate, and tell how far it is."""
        due = state.global_step % self._every == 0 or state.global_step == state.max_steps
        if due and self._evaluate is not None and state.is_world_process_zero:
            self._write(state, self._evaluate())
        if self._report is not None and state.is_world_process_zero:
            self._report(Progress(state.global_step, state.max_steps, dict(self.values)))

    def _write(self, state: Any, values: Mapping[str, float]) -> None:
        if not state.is_world_process_zero:
            return
        self.values.update(values)
        line = {"step": state.global_step, **values, "seconds": round(time.monotonic() - self._began, 2)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def training_arguments(config: TrainingConfig, output: Path) -> SentenceTransformerTrainingArguments:
    """The trainer's own settings for a run."""
    run, cuda = config.training, torch.cuda.is_available()
    # The share of each device is set by `Batches`; this number is only what the trainer prints and compares.
    return SentenceTransformerTrainingArguments(
        output_dir=str(output / CHECKPOINTS),
        max_steps=run.steps,
        per_device_train_batch_size=run.batch_size,
        learning_rate=run.lr,
        warmup_steps=run.warmup_steps,
        lr_scheduler_type=run.schedule if run.schedule != "constant" else "constant_with_warmup",
        weight_decay=run.weight_decay,
        max_grad_norm=run.clip,
        seed=run.seed,
        bf16=run.precision == "bf16",
        use_cpu=not cuda,
        save_strategy="steps",
        save_steps=run.save_every,
        save_total_limit=run.keep,
        logging_steps=run.log_every,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_num_workers=run.workers,
        dataloader_pin_memory=cuda,
        ddp_find_unused_parameters=False,
        ddp_timeout=7200,
    )


def learned(model: torch.nn.Module) -> dict[str, Tensor]:
    """The weights that learn, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_learned(model: torch.nn.Module, folder: Path) -> None:
    """Put the weights of a checkpoint into a model.

    Raises:
        CorruptFile: The checkpoint holds other weights than the model learns.
    """
    try:
        stored = load_file(folder / LEARNED_FILE)
    except Exception as error:  # safetensors raises its own, OSError and ValueError
        raise CorruptFile(f"{folder / LEARNED_FILE} cannot be read: {error}") from error
    own = learned(model)
    if stored.keys() != own.keys() or any(stored[name].shape != own[name].shape for name in own):
        raise CorruptFile(f"{folder / LEARNED_FILE} holds other weights than this run learns; start anew")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(stored[name])


def last_checkpoint(output: Path) -> Path | None:
    """The last whole checkpoint of a run: what a crash left half written has no state file."""
    found = [
        (int(path.name.rpartition("-")[2]), path)
        for path in (output / CHECKPOINTS).glob("checkpoint-*")
        if (path / STATE_FILE).is_file() and (path / LEARNED_FILE).is_file() and path.name.rpartition("-")[2].isdigit()
    ]
    return max(found)[1] if found else None
