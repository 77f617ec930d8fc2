"""An index goes on with the model, and the documents' task, that it was built with; another is refused by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from c2vsearch.collection.manifest import Manifest, describe_fingerprint
from c2vsearch.errors import EncoderMismatch
from c2vsearch.records import Fingerprint


def refuse_mismatch(root: Path, old: Manifest, fingerprint: Fingerprint) -> None:
    """Refuse to go on with an index of another model.

    Raises:
        EncoderMismatch: The index was built with another model, or its documents for another task.
    """
    if old.fingerprint == fingerprint:
        return
    if dataclasses.replace(old.fingerprint, document_prompt=fingerprint.document_prompt) == fingerprint:
        raise EncoderMismatch(
            f"{root} has documents that are embedded {_behind(old.fingerprint)}; the task of this run embeds them "
            f"{_behind(fingerprint)}: leave --task out to keep that of the index, or add --rebuild to embed everything "
            "again"
        )
    raise EncoderMismatch(
        f"{root} was built with {describe_fingerprint(old.fingerprint)}; this run uses "
        f"{describe_fingerprint(fingerprint)}: use the same model (and --dim), or add --rebuild to embed "
        "everything again"
    )


def _behind(fingerprint: Fingerprint) -> str:
    prompt = fingerprint.document_prompt
    return f"behind {prompt!r}" if prompt else "without an instruction"
