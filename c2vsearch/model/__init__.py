"""The Causal2Vec model (Lin et al., ACL 2026, arXiv 2507.23386): texts' token ids to embeddings.

`spec` says what a model is, `tokens` turns a text into the ids of both halves, `causal2vec` is the module,
`checkpoint` the folder it lives in. Knows no files of documents, no index.
"""
