"""The view `web`: a page, an HTTP API and metrics of a run."""

from gridsim_plugins.views.web.view import Web, gridsim_register

__all__ = ["Web", "gridsim_register"]
