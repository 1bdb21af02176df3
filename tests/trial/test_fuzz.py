"""Any bytes at all make every parser do what it should or raise what it declares, in bounded time and memory."""

import importlib.util
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trial.conftest import Measure
from tests.trial.counts import FUZZ_SECONDS, TRIAL
from tests.trial.targets import TARGETS

SMOKE = 1.0  # second
LONGEST = 5.0  # seconds of CPU that one input may take


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """The seed with some of it altered, cut out, doubled, or exchanged."""
    data = bytearray(seed)
    for _ in range(dice.randint(1, 6)):
        start = dice.randint(0, len(data))
        end = min(len(data), start + dice.choice([0, 1, 2, 8, 64, 1000]))
        piece = bytes(data[start:end])
        data[start:end] = dice.choice([b"", piece * 2, dice.randbytes(4), piece[::-1], b"\xff" * 4, b"0"])
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_altered_bytes_raise_nothing_else(name: str, measured: Measure) -> None:
    """For a second, altered seeds raise nothing but what is declared, and none takes long."""
    target, dice, count = TARGETS[name], random.Random(), 0
    for seed in target.seeds:
        target(seed)
    end = time.monotonic() + SMOKE
    while time.monotonic() < end:
        data = mutated(dice.choice(target.seeds), dice)[: target.longest]
        begun = time.process_time()
        try:
            target(data)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} for {data!r}") from error
        assert time.process_time() - begun < LONGEST, data
        count += 1
    assert count
    measured("inputs", count)


@pytest.mark.skipif(not TRIAL, reason="fuzzing with atheris is a trial: make trial")
@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing(name: str, tmp_path: Path, measured: Measure) -> None:
    """Guided by what it reaches, a fuzzer finds no other exception, no endless input and at most 1 GiB of memory."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install atheris")
    command = [sys.executable, "-m", "tests.trial.fuzz", name, str(int(FUZZ_SECONDS)), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FUZZ_SECONDS + 300, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    measured("seconds", int(FUZZ_SECONDS))
    measured("inputs", figure("stat::number_of_executed_units: *([0-9]+)", done.stderr))
    measured("most memory", figure("stat::peak_rss_mb: *([0-9]+)", done.stderr) + " MiB")


def figure(pattern: str, said: str) -> str:
    """A number that the fuzzer printed."""
    found = re.search(pattern, said)
    assert found, said[-2000:]
    return found[1]
