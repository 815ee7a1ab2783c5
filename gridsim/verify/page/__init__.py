"""The page of `gridsim verify --html`, which needs no network."""
