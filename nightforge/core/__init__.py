"""Foundations without torch: errors, atomic files, paths, clock, events, processes, versions."""
