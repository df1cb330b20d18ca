"""The command line with profiles so short that the documentation can be typed in a test.

Nothing else is changed: the same commands, options, files and messages.
"""

from __future__ import annotations

from typing import Any

SHORT: dict[str, Any] = {
    "cations": 4,
    "atoms": 1200,
    "starts": ["separated"],
    "replicas": 1,
    "heat_time": "0.4 ps",
    "anneal_time": "0.8 ps",
    "density_time": "0.8 ps",
    "density_time_max": "1.6 ps",
    "production_time": "2.4 ps",
    "report_interval": "0.08 ps",
    "checkpoint_interval": "0.8 ps",
}
"""What replaces these choices of every profile."""


def shrink_profiles() -> None:
    """Make every profile short, in this process."""
    from solvation.profile import PROFILES

    for profile in PROFILES.values():
        profile.update(SHORT)


if __name__ == "__main__":
    import re
    import sys

    from solvation.cli import main

    shrink_profiles()
    # Lengths that a page asks for itself are as long as it says; here they are short too.
    sys.argv[1:] = [
        re.sub(r'(production_time=)"[^"]*"', r'\1"3.2 ps"', word) for word in sys.argv[1:]
    ]
    for option in ("--extend", "--cap"):
        if option in sys.argv:
            sys.argv[sys.argv.index(option) + 1] = "0.8 ps"
    sys.argv[0] = "solvation"
    main()
