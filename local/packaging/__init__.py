"""Builds each function's zip from what it imports, so that a cold start loads nothing else."""
