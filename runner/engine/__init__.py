"""The engine: the graph, and the Session that runs it."""
