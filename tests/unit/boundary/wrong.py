"""Wrong values and exceptions, as code that a plugin runs."""

from __future__ import annotations

RAISES = {
    "ValueError": 'raise ValueError("boom")',
    "no text": "raise KeyError()",
    "SystemExit": "sys.exit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "BaseException": "class Own(BaseException): pass\nraise Own('boom')",
    "GeneratorExit": "raise GeneratorExit",
    "TransportError": 'raise TransportError("boom")',
    "huge text": 'raise ValueError("\\n\\x1b" * 100_000)',
    "no memory": "np.ones((10**7, 10**7))",
    "recursion": "def again(): again()\nagain()",
    "no str": "class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad",
}
ARRAYS = {
    "None": "{0} = None",
    "text": '{0} = "12"',
    "texts": '{0} = np.array(["1"] * n)',
    "bytes": 'NAME = b"12"'.replace("NAME", "{0}"),
    "objects": "{0} = np.array([1.0] * n, object)",
    "nones": "{0} = [None] * n",
    "booleans": "{0} = np.ones(n, bool)",
    "complex": "{0} = np.ones(n, complex)",
    "dates": '{0} = np.full(n, "2026", "datetime64[s]")',
    "a generator": "{0} = (1.0 for _ in range(n))",
    "a dict": "{0} = dict.fromkeys(range(n), 1.0)",
    "an object": "{0} = Liar()",
    "a scalar": "{0} = 1.0",
    "too few": "{0} = np.ones(n - 1)",
    "too many": "{0} = np.ones(n + 1)",
    "empty": "{0} = np.ones(0)",
    "a column": "{0} = np.ones((n, 1))",
    "ragged": "{0} = [[1.0], [1.0, 2.0], 3.0]",
    "NaN": "{0} = np.full(n, np.nan)",
    "infinite": "{0} = np.full(n, np.inf)",
    "one infinite": "{0} = np.append(np.ones(n - 1), -np.inf)",
    "too large": "{0} = np.full(n, 1.1e12)",
    "masked": "{0} = np.ma.masked_array(np.ones(n), mask=[True] * n)",
}
GAPS = ("NaN",)
SOME = ("None", "texts", "an object", "too few", "a column", "NaN", "one infinite", "too large")


def arrays(name: str, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the misbehaviours of an array with this name."""
    own = {what: text.format(name) for what, text in ARRAYS.items() if what not in without}
    return {f"{name} {what}": text for what, text in own.items()}


def some(name: str, *without: str) -> dict[str, str]:
    """Return a few of them: one function checks all arrays, and `power` has all of them."""
    return arrays(name, without=(*without, *(what for what in ARRAYS if what not in SOME)))
