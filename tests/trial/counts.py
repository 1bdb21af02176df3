"""How much a trial does: a little within all tests, everything with `WHISTLE_TRIAL=1`."""

import os

TRIAL = os.environ.get("WHISTLE_TRIAL", "") not in ("", "0")
FUZZ_SECONDS = float(os.environ.get("WHISTLE_FUZZ_SECONDS", "600"))  # for each target of a trial


def full(name: str, trial: int, small: int) -> int:
    """The count of a trial; `WHISTLE_TRIAL_<NAME>` chooses another."""
    return int(os.environ.get(f"WHISTLE_TRIAL_{name}", trial)) if TRIAL else small
