"""From hits to a prompt with cited passages, and from an answer back to them. Calls no language model."""

from c2vsearch.rag.citation import Citation
from c2vsearch.rag.context import Context
from c2vsearch.rag.support import Support, Verification

__all__ = ["Citation", "Context", "Support", "Verification"]
