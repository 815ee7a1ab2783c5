"""The template of a plugin of the kind weather."""
