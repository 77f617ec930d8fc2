"""What a run did, or would do, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from c2vsearch.cli.console import duration, messages, plain_table, results, size
from c2vsearch.records import FileReport, path_of
from c2vsearch.terminal import visible, visible_line

if TYPE_CHECKING:
    from c2vsearch.indexing import IndexPlan, IndexReport

PROBLEMS_SHOWN = 8
CHANGES_SHOWN = 3


def show_report(report: IndexReport, *, interrupted: bool, default_place: bool) -> None:
    """How each file ended, and what to type next."""
    console = messages()
    if report.settings_changed:
        console.print(f"Everything was read again, because settings changed: {report.settings_changed}")
    _show_files(console, report.counts, report.files)
    for hint in report.hints:
        console.print(visible(hint))
    rate = f", {report.tokens / report.seconds:,.0f} tokens/s" if report.tokens and report.seconds > 0 else ""
    made = (
        f"{report.encoded} embedded, {report.reused} reused" if report.encoded or report.reused else "nothing to embed"
    )
    console.print(
        f"{report.chunks} chunks in {visible_line(str(report.index))} ({made}) in {duration(report.seconds)}{rate}"
    )
    if any("recall" in line for line in report.searched):
        for line in report.searched:
            console.print(f"Searched: {line}")
    if interrupted:
        console.print("Interrupted. What is finished is kept; the same command goes on from there.")
    elif report.chunks:
        where = "" if default_place else f" --index {visible_line(str(report.index))}"
        console.print(f'Next: c2vsearch query "your question"{where}', style="bold")
    else:
        console.print("There is nothing to search yet: no file had text that could be read.")


def show_plan(plan: IndexPlan) -> None:
    """What a run would do, and cost."""
    console = results()
    if plan.settings_changed:
        console.print(f"Everything would be read again, because settings changed: {plan.settings_changed}")
    _show_files(console, plan.counts, plan.files)
    for hint in plan.hints:
        console.print(visible(hint))
    console.print(f"{plan.chunks} chunks in {visible_line(str(plan.index))}, {plan.to_embed} of them to embed")
    if plan.to_embed:
        cost = f"about {duration(plan.seconds)} on this machine, about {size(plan.size_bytes)} on disk"
        console.print(f"{plan.tokens:,} tokens, {cost}")
    console.print("Nothing was written.")


def changes_of(report: IndexReport) -> str:
    """What a sync found, without what stayed as it was."""
    settled = {"unchanged", "empty", "skipped", "failed"}
    shown = [file for file in report.files if file.status not in settled]
    names = ", ".join(f"{file.status} {visible_line(file.source)}" for file in shown[:CHANGES_SHOWN])
    return (
        names + (f" and {len(shown) - CHANGES_SHOWN} more" if len(shown) > CHANGES_SHOWN else "") or "no text changed"
    )


def report_record(report: IndexReport) -> dict[str, Any]:
    """A report as JSON has it."""
    return {
        "index": str(report.index), "roots": list(map(str, report.roots)), "version": report.version,
        "counts": report.counts, "chunks": report.chunks, "encoded": report.encoded, "reused": report.reused,
        "tokens": report.tokens, "seconds": round(report.seconds, 3),
        "waited_seconds": round(report.waited_seconds, 3), "searched": list(report.searched),
        "problems": _problems(report.files),
    }  # fmt: skip


def plan_record(plan: IndexPlan) -> dict[str, Any]:
    """A plan as JSON has it."""
    return {
        "index": str(plan.index), "roots": list(map(str, plan.roots)), "counts": plan.counts, "chunks": plan.chunks,
        "to_embed": plan.to_embed, "tokens": plan.tokens, "seconds": round(plan.seconds, 1),
        "size_bytes": plan.size_bytes, "settings_changed": plan.settings_changed, "problems": _problems(plan.files),
    }  # fmt: skip


def _show_files(console: Any, counts: dict[str, int], files: Sequence[FileReport]) -> None:
    """How many files ended how, and the first of those that were left out."""
    table = plain_table("files", "", right=("files",))
    for state, count in counts.items():
        table.add_row(str(count), visible_line(state))
    console.print(table)
    # A missing extra is in the table and in its hint; the other files that were left out are named.
    problems = [
        file for file in files if file.status in {"skipped", "failed"} and not file.reason.startswith("needs-extra")
    ]
    for file in problems[:PROBLEMS_SHOWN]:
        console.print(
            f"  {visible_line(path_of(file.source, file.member))}: {file.reason}, {visible_line(file.detail)}",
            style="dim",
        )
    if len(problems) > PROBLEMS_SHOWN:
        console.print(f"  ... and {len(problems) - PROBLEMS_SHOWN} more: c2vsearch status --problems", style="dim")


def _problems(files: Sequence[FileReport]) -> list[dict[str, str]]:
    return [
        {"path": path_of(file.source, file.member), "status": file.status, "reason": file.reason, "detail": file.detail}
        for file in files if file.status in {"skipped", "failed"}
    ]  # fmt: skip
