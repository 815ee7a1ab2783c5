"""`gridsim play`: a recorded export, or a ledger, published again."""

from gridsim.play.plan import PlayOptions, make_play_plan

__all__ = ["PlayOptions", "make_play_plan"]
