"""The panels of the picture: each is a function that returns lines of at most a given width."""
