"""Torch code shared by both tracks: loading, fitting, checkpoints, memory, generation."""
