"""How simulations are run: where, and from which checkpoint."""
