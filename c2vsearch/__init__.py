"""Semantic search over your own documents, on your own machine, with Causal2Vec embeddings.

    from c2vsearch import Retriever

    retriever = Retriever.open("indexes/handbook")
    for hit in retriever.search("how do I claim travel costs?", k=5):
        print(hit.score, hit.source, hit.text)

The public names are resolved on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2vsearch.encoder import Encoder as Encoder
    from c2vsearch.encoder import HashEncoder as HashEncoder
    from c2vsearch.encoder import load_encoder as load_encoder
    from c2vsearch.errors import C2VSearchError as C2VSearchError
    from c2vsearch.indexing import index_directory as index_directory
    from c2vsearch.rag import Citation as Citation
    from c2vsearch.rag import Context as Context
    from c2vsearch.rag import Support as Support
    from c2vsearch.rag import Verification as Verification
    from c2vsearch.records import Chunk as Chunk
    from c2vsearch.records import Document as Document
    from c2vsearch.records import Hit as Hit
    from c2vsearch.records import Passage as Passage
    from c2vsearch.retriever import Retriever as Retriever

__version__ = "0.1.0"

_HOMES = {
    "C2VSearchError": "errors",
    "Chunk": "records",
    "Citation": "rag",
    "Context": "rag",
    "Document": "records",
    "Encoder": "encoder",
    "HashEncoder": "encoder",
    "Hit": "records",
    "Passage": "records",
    "Retriever": "retriever",
    "Support": "rag",
    "Verification": "rag",
    "index_directory": "indexing",
    "load_encoder": "encoder",
}

__all__ = ["__version__", *sorted(_HOMES)]

if not TYPE_CHECKING:  # hidden from mypy, which would otherwise accept any misspelt name

    def __getattr__(name: str) -> object:
        """Import the module a public name lives in when the name is first used (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return __all__
