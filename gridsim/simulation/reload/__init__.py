"""The swap of a simulation for one of a changed configuration, between two ticks."""
