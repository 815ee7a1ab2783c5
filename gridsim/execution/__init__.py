"""Checkpoints: the state of a simulation as data."""
