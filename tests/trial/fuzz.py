"""Fuzzing with atheris: `python -m tests.trial.fuzz TARGET SECONDS FOLDER`, the folder for what it finds on the way."""

import sys
from pathlib import Path

import atheris

MEMORY = 1024  # MiB, beyond which a target has failed


def main(name: str, seconds: str, folder: str) -> None:
    """Fuzz a target for so many seconds; libFuzzer ends the process, not well when something was found."""
    with atheris.instrument_imports(include=["whistle"]):
        from tests.trial.targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds):
        Path(folder, f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={target.longest}", f"-rss_limit_mb={MEMORY}", "-timeout=20"]
    atheris.Setup([sys.argv[0], folder, *options, "-print_final_stats=1", f"-artifact_prefix={folder}/"], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
