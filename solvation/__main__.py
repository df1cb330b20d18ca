"""``python -m solvation`` is ``solvation``."""

from solvation.cli import main

__all__: list[str] = []

main()
