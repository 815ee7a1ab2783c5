"""The load `profile`: power from a file, over time or over the time of day."""

from gridsim_plugins.loads.profile.plugin import ProfileLoad, gridsim_register
from gridsim_plugins.loads.profile.settings import ProfileSettings

__all__ = ["ProfileLoad", "ProfileSettings", "gridsim_register"]
