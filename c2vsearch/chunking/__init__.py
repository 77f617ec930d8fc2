"""Documents to chunks: structure first, tokens second, nothing lost. Knows no vectors."""

from c2vsearch.chunking.chunk import Tokenizer, chunk_document
from c2vsearch.chunking.sentences import sentence_spans

__all__ = ["Tokenizer", "chunk_document", "sentence_spans"]
