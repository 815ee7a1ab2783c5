"""Run mutmut on a sample: it makes the mutants whose names are in sample.json, and no others.

The mutants of a room are copies of its functions, so all of them make the code up to fifty times
longer, and each process that runs tests compiles and imports it. Here the changes are chosen first.

`mutants.py` writes sample.json into its copy of the checkout and starts this file there. A mutant
has another name in each sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

SAMPLE = Path("sample.json")


def candidates(folder: Path, paths: Iterable[Path]) -> list[str]:
    """Return the names of all changes that mutmut would make in these files of a folder."""
    changes = import_module("mutmut.mutation.file_mutation").create_mutations
    return [
        name
        for path in paths
        for name, _ in _named(path, changes(str(path), (folder / path).read_text())[1])
    ]


def main() -> None:
    """Run the command line of mutmut, where each file has the chosen changes only."""
    files = import_module("mutmut.mutation.file_mutation")
    changes = files.create_mutations
    chosen = set(json.loads(SAMPLE.read_text(encoding="utf-8")))

    def chosen_only(path: str, *arguments: Any) -> tuple[Any, ...]:
        module, mutations, *rest = changes(path, *arguments)
        return module, [one for name, one in _named(path, mutations) if name in chosen], *rest

    files.create_mutations = chosen_only
    import_module("mutmut.__main__").cli()


def _named(path: str | Path, mutations: Iterable[Any]) -> list[tuple[str, Any]]:
    """Name the changes by their places in the file; mutmut makes those in a function only."""
    function = import_module("libcst").FunctionDef
    inside = (one for one in mutations if isinstance(one.contained_by_top_level_function, function))
    return [(f"{path}:{place}", one) for place, one in enumerate(inside)]


if __name__ == "__main__":
    main()
