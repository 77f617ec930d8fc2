"""Write docs/cli.md from the help pages themselves; ``--check`` only says whether it is up to date.

python docs/make_cli_reference.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "cli.md"

INTRODUCTION = """# Commands

This page is made from `--help` by `docs/make_cli_reference.py`; a test keeps it true.

Results go to stdout, everything else to stderr. Document texts and file names are shown with control characters
escaped. `search` is another name of `query`. `C2VSEARCH_INDEX` stands in for `--index`.

| exit code | meaning |
|---|---|
| 0 | done, or something was found |
| 1 | nothing found, lines left out (`query`), files failed (`index`), a mean below `--min`, no gain (`train --adapt`) |
| 2 | wrong usage: an option, a query or a path that cannot be |
| 3 | no index, no model, a package that is not installed, or an endpoint that fails |
| 4 | another process is writing to the index |
| 5 | the index was built with another model |
| 6 | a file is damaged, or of a format this version does not read |
| 7 | the disk is full; nothing committed is lost |
| 130 | interrupted; `index` keeps what is finished |

With `--json`, a hit is `rank`, `score`, `relevance` (from 0 to 1, or null where it is not known), `id`, `path`,
`start_line`, `end_line`, `page`, `heading_path`, `title`, `start`, `end`, `text`, `highlight` (a span of `text`, or
null), `member` (a part of the file, or ""), `kind`, `metadata` (an object) and `repeats` (where the same text stands as
well); with `--context` or `--section` also `context` (the text around it), with `--explain` `stages` (`stage`, `score`,
`rank`). Scores are higher for better hits: the cosine in mode `dense`, BM25 in mode `bm25`, the cosine mixed with the
keyword score in mode `hybrid` (at most 1), and from 1 to 2 for reranked hits. On the screen a hit has its relevance, or
its score where that is not known.
"""


def page() -> str:
    """The whole page. Built from the options themselves, so that it does not follow a library's layout."""
    import typer

    from c2vsearch.cli.app import app

    command: Any = typer.main.get_command(app)
    shown = {verb: found for verb, found in command.commands.items() if not found.hidden}
    return "\n".join([INTRODUCTION, *(section(verb, found) for verb, found in shown.items())])


def section(verb: str, command: Any) -> str:
    """One verb: what it does, its arguments and options, its examples."""
    description = re.sub(r"\s*\n\s*\n\s*", "\n\n", command.help.strip())
    lines = [f"## {verb}", "", re.sub(r"[ \t]+", " ", description), "", "| | default | |", "|---|---|---|"]
    for parameter in command.params:
        name = parameter.metavar or parameter.name if parameter.param_type_name == "argument" else ", ".join(
            f"`{option}`" for option in [*parameter.opts, *parameter.secondary_opts]
        )  # fmt: skip
        default = (
            "" if parameter.default in (None, False, True) or callable(parameter.default) else f"{parameter.default}"
        )
        name = name.replace("|", "\\|")  # or it would end the cell
        lines.append(f"| {name} | {default} | {getattr(parameter, 'help', '') or ''} |")
    if command.epilog:
        examples = [line for line in command.epilog.splitlines() if line.startswith("c2vsearch")]
        lines += ["", "```text", *examples, "```"]
    return "\n".join([*lines, ""])


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.stderr.write("docs/cli.md is not what --help says; run: python docs/make_cli_reference.py\n")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
