"""A model in other people's tools. One file a tool; importing one needs that tool installed."""
