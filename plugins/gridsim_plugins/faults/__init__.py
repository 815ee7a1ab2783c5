"""The faults that come along."""
