"""Contrastive training of Causal2Vec: pairs, losses, warm start, loop."""
