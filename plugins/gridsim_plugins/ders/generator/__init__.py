"""Generating sets: minimum load, start delay, ramp rate, fuel."""

from gridsim_plugins.ders.generator.fleet import Generator, gridsim_register

__all__ = ["Generator", "gridsim_register"]
