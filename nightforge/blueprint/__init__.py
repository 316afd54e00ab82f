"""Blueprint track: a small language for Unreal Engine graphs, and what trains and grades a model that writes it."""
