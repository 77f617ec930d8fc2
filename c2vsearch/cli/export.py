"""`c2vsearch export`: a model folder that runs without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import messages, plain_table, print_json, results, size
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.encoder.export import Export

EXAMPLES = """Examples:

c2vsearch export runs/mine --out models/mine

c2vsearch export runs/mine --out models/mine-fp32 --precision fp32"""


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The folder of a model, or a bundled one by name.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write; it must not exist.")],
    precision: Annotated[
        str, typer.Option(help="Graphs, of int8 and fp32. With int8, weights are stored in int8.")
    ] = "int8,fp32",
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Write a model for both runtimes: safetensors for torch, ONNX graphs that read the same file for the CPU.

    BERT-type encoders with Llama-type decoders of at most 1,000 million parameters; other models run on torch. The
    graphs are compared with torch on a handful of texts, and nothing is written when they do not agree.
    """
    from c2vsearch.encoder.export import export_model

    precisions = [name.strip() for name in precision.split(",") if name.strip()]
    done = export_model(model, out=out, precisions=precisions)
    if as_json:
        print_json(_record(done))
        return
    table = plain_table("graph", "largest difference", "least cosine", right=("largest difference", "least cosine"))
    for agreement in done.agreements:
        table.add_row(agreement.precision, f"{agreement.difference:.1e}", f"{agreement.cosine:.5f}")
    results().print(table)
    messages().print("differences to torch on the exported weights, cosines to the model as it was", style="dim")
    messages().print(
        f"{visible_line(str(done.folder))}: {done.parameters / 1e6:.1f} million parameters, {size(done.bytes)}, "
        f"revision {done.revision[:8]}"
    )


def _record(done: Export) -> dict[str, Any]:
    return {
        "folder": str(done.folder), "revision": done.revision, "parameters": done.parameters, "bytes": done.bytes,
        "graphs": {
            agreement.precision: {"largest_difference": agreement.difference, "least_cosine": agreement.cosine}
            for agreement in done.agreements
        },
    }  # fmt: skip
