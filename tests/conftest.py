"""Settings of the whole test run."""

from __future__ import annotations

from hypothesis import settings

# A deadline would be an assertion about time, and machines are shared.
settings.register_profile("gridsim", deadline=None)
settings.load_profile("gridsim")
