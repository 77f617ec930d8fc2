"""Links to files in a terminal (OSC 8): what is clicked opens the file, where the terminal knows how at its line."""

from __future__ import annotations

import os
import re
import socket
import sys
from urllib.parse import quote

from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Hit

# The names and formats are those of ripgrep's --hyperlink-format. Without a line a file opens in every terminal; with
# one some open nothing at all, so it is added where the terminal is known to take it.
FORMATS = {
    "none": "",
    "file": "file://{host}{path}",
    "kitty": "file://{host}{path}#{line}",
    "vscode": "vscode://file{path}:{line}",
    "vscodium": "vscodium://file{path}:{line}",
    "cursor": "cursor://file{path}:{line}",
}


def link_format(asked: str | None) -> str:
    """The format of links: what was asked for, else what the terminal takes; "" for none, as where no terminal is.

    Raises:
        InvalidConfig: It is no known name, and no format with a place for the path.
    """
    name = asked or _usual()
    found = FORMATS.get(name, name)
    if name not in FORMATS and ("{path}" not in name or re.search(r"[^!-~]", name)):
        raise InvalidConfig(
            f"--links is {name!r}; expected one of {', '.join(FORMATS)}, or a format such as "
            f"{FORMATS['kitty']} in printable ASCII"
        )
    return found if sys.stdout.isatty() else ""


def link(hit: Hit, form: str) -> str:
    """The address of a hit's file; "" when there is to be none, or the file is not there any more.

    The path is percent-encoded byte by byte: whatever a file is called, nothing in it ends the link.
    """
    if not form or not hit.file or not os.path.exists(hit.file):
        return ""
    host = re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())
    path = quote(os.fsencode(os.path.abspath(hit.file)))
    return form.replace("{host}", host).replace("{line}", str(max(hit.start_line, 1))).replace("{path}", path)


def _usual() -> str:
    if os.environ.get("FORCE_HYPERLINK") == "0":
        return "none"
    if "KITTY_WINDOW_ID" in os.environ:
        return "kitty"
    return "vscode" if os.environ.get("TERM_PROGRAM") == "vscode" else "file"
