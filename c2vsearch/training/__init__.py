"""Contrastive training of Causal2Vec: configuration, pairs, batches, losses, warm start, the run itself.

from c2vsearch.training import read_config, train
train(read_config("recipes/e5-qwen3-0.6b.toml"))
"""

from c2vsearch.training.config import TrainingConfig, read_config
from c2vsearch.training.train import Trained, train

__all__ = ["Trained", "TrainingConfig", "read_config", "train"]
