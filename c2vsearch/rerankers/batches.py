"""Batches limited by tokens, padding included, of sequences of like length; what does not fit is halved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from c2vsearch.errors import OutOfDeviceMemory

BATCH_TOKENS = {"cpu": 2048, "cuda": 32768}

Encoded = dict[str, list[int]]  # one sequence as a tokenizer gives it


def batched(
    sequences: Sequence[Encoded], run: Callable[[list[Encoded]], list[float]], *, device: str,
    batch_tokens: int | None = None,
) -> list[float]:  # fmt: skip
    """One number a sequence, in their order. The longest come first, so that what does not fit shows at once.

    Args:
        sequences: Each with its ``input_ids``.
        run: Takes a batch.
        device: Where it runs, for the limit and the message.
        batch_tokens: Tokens a batch fills; by default what suits the device.

    Raises:
        OutOfDeviceMemory: One sequence alone does not fit.
    """
    limit = batch_tokens or BATCH_TOKENS.get(device.partition(":")[0], BATCH_TOKENS["cpu"])
    results: dict[int, float] = {}
    waiting = sorted(range(len(sequences)), key=lambda index: -len(sequences[index]["input_ids"]))
    while waiting:
        longest = max(1, len(sequences[waiting[0]]["input_ids"]))
        count = max(1, min(len(waiting), limit // longest))
        found = _run([sequences[index] for index in waiting[:count]], run)
        if found is None:
            _make_room(device, count, longest)
            limit = count // 2 * longest
            continue
        results.update(zip(waiting[:count], found, strict=True))
        waiting = waiting[count:]
    return [results[index] for index in range(len(sequences))]


def _run(batch: list[Encoded], run: Callable[[list[Encoded]], list[float]]) -> list[float] | None:
    """One batch; None when the device cannot hold it."""
    import torch

    try:
        with torch.inference_mode():
            return run(batch)
    except torch.OutOfMemoryError:
        return None  # outside of here nothing refers to the batch any more, so that its memory can be given back


def _make_room(device: str, count: int, longest: int) -> None:
    import torch

    if count == 1:
        raise OutOfDeviceMemory(
            f"{device} cannot hold the reranker and one text of {longest} tokens; take a smaller reranker, or search "
            "without one"
        )
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def padded(batch: list[Encoded], *, padding: dict[str, int], left: bool, device: str) -> dict[str, Any]:
    """Tensors of a batch, each sequence filled up to the longest. Shape of each: (B, T).

    Args:
        batch: Sequences with the same names.
        padding: What fills each name; 0 where it says nothing.
        left: Fill before the sequence instead of behind it.
        device: Where the tensors go.
    """
    import torch

    longest = max(len(each["input_ids"]) for each in batch)
    tensors = {}
    for name in batch[0]:
        rows = []
        for each in batch:
            filling = [padding.get(name, 0)] * (longest - len(each[name]))
            rows.append(filling + each[name] if left else each[name] + filling)
        tensors[name] = torch.tensor(rows, device=device)
    return tensors
