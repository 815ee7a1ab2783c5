"""A day of a configuration as a picture, without any transport: `gridsim plot`."""
