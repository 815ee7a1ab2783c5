"""The weather `file`: from a CSV, EPW or TMY3 file."""

from gridsim_plugins.weather.file.plugin import FileWeather, gridsim_register

__all__ = ["FileWeather", "gridsim_register"]
