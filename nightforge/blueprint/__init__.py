"""Blueprint track: a small language for Unreal Engine graphs; training and grading models that write it."""
