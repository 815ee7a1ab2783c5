"""Settings of the whole test run."""

from __future__ import annotations

from hypothesis import settings

# A deadline would be an assertion about time, and machines are shared. The examples are the
# same in every run, so that a change lands or fails by what it changes.
settings.register_profile("gridsim", deadline=None, derandomize=True)
settings.load_profile("gridsim")
