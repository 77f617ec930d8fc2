"""Shards to segments: FAISS for vectors, tantivy for BM25, and the exact search they are compared with."""
