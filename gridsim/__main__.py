"""`python -m gridsim` and the command `gridsim`."""

from __future__ import annotations


def main() -> None:
    from gridsim.cli import app

    app()


if __name__ == "__main__":
    main()
