"""Documents to chunks: structure first, tokens second, nothing lost. Knows no vectors."""

from c2vsearch.chunking.chunk import RULES, chunk_document, iter_chunks
from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.chunking.tokens import Tokenizer

__all__ = ["RULES", "Tokenizer", "chunk_document", "iter_chunks", "sentence_spans"]
