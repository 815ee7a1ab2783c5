"""gridsim: a believable fleet of distributed energy resources on your message broker."""

__version__ = "0.1.0"
