"""`c2vsearch train` from the command line, in a process of its own and in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("sentence_transformers")
pytest.importorskip("peft")

from c2vsearch.cli.app import app
from c2vsearch.errors import C2VSearchError
from tests.training.runs import make_run


def write_config(place: Path, **changes: object) -> Path:
    """The configuration of a small run as a file."""
    record = make_run(place, **changes).to_record()
    lines = []
    for table, values in record.items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None and value != {}]
    path = place / "run.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_train_says_where_the_model_is(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    arguments = ["train", str(config), "--out", str(tmp_path / "out"), "--set", "training.steps=2"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.strip().replace("\n", "") == str(tmp_path / "out" / "model")
    assert (tmp_path / "out" / "model" / "modules.json").is_file()
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, C2VSearchError)
    assert "--resume" in str(again.exception)


def test_a_wrong_key_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[model]\nstart = "c2v-mini"\n[data]\nfiles = ["x"]\nhard_negative = 2\n')
    command = [sys.executable, "-m", "c2vsearch", "train", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    expected = f"c2vsearch: {config}: unknown key 'hard_negative' in [data]; did you mean 'hard_negatives'?\n"
    assert done.stderr == expected


@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    """Half of each batch a process, documents gathered: the same weights as one process with the whole batch."""
    import torch

    from c2vsearch.model.checkpoint import load

    config = write_config(tmp_path, training__lr=0.001, lora__dropout=0.0, training__batch_size=8, training__steps=3)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "29641", "-m"]  # fmt: skip
    for place, start in (("one", [sys.executable, "-m"]), ("two", launch)):
        command = [*start, "c2vsearch", "train", str(config), "--out", str(tmp_path / place)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (load(tmp_path / place / "model").state_dict() for place in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
