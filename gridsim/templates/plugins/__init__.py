"""The templates of `gridsim new`: a folder for each kind of plugin."""
