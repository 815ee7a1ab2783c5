"""The tools of an agent: a run's HTTP API over the Model Context Protocol."""
