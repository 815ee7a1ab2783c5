"""Starting points: the configurations of `gridsim init` and the plugins of `gridsim new`."""
