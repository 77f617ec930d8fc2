"""Something goes wrong at the n-th touch of the disk: whatever is written, linked, renamed, synced or removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from c2vsearch import artifacts
from c2vsearch.index import lexical

TOUCHES: list[tuple[Any, str]] = [
    (os, "replace"), (os, "link"), (os, "fsync"), (Path, "write_bytes"), (Path, "mkdir"), (Path, "unlink"),
    (Path, "chmod"), (shutil, "copyfile"), (lexical, "_change"), (artifacts, "write_named_by_content"),
]  # fmt: skip


class Faults:
    """Counts touches; at the chosen one, before or after it is done, calls ``fail``.

    Args:
        patch: Sets an attribute, as pytest's monkeypatch.setattr does.
        fail: What happens.
        at: Which touch, from 1; 0 for none.
        after: Let the touch happen first.
    """

    def __init__(
        self, patch: Callable[[Any, str, Any], None], fail: Callable[[], None], *, at: int, after: bool = False
    ) -> None:
        self.count, self.at = 0, at
        for owner, name in TOUCHES:
            patch(owner, name, self._wrapped(getattr(owner, name), fail, after))

    def _wrapped(self, real: Callable[..., Any], fail: Callable[[], None], after: bool) -> Callable[..., Any]:
        def touch(*arguments: Any, **settings: Any) -> Any:
            self.count += 1
            now = self.count == self.at
            if now and not after:
                fail()
            result = real(*arguments, **settings)
            if now and after:
                fail()
            return result

        return touch
