"""Texts to unit vectors: one Protocol, two runtimes of Causal2Vec, and a fake that ships for tests and examples."""

from c2vsearch.encoder.hashing import HashEncoder
from c2vsearch.encoder.load import load_encoder
from c2vsearch.encoder.protocol import Encoder, Profiled, TokenCoder, TokenEncoder

__all__ = ["Encoder", "HashEncoder", "Profiled", "TokenCoder", "TokenEncoder", "load_encoder"]
