"""The weather `synthetic`: the sun, a moving field of clouds, and a climate."""

from gridsim_plugins.weather.synthetic.plugin import Synthetic, gridsim_register

__all__ = ["Synthetic", "gridsim_register"]
