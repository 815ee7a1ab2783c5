"""Weather from a file of the user's: CSV, EPW or TMY3."""

from gridsim_plugins.weather.file.plugin import FileWeather, gridsim_register

__all__ = ["FileWeather", "gridsim_register"]
