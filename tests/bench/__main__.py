"""`python -m tests.bench [--quick] [--only NAME] [--json FILE]`, or `--compare OLD NEW`."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import browser, desk, figures, growth, importing, line, sealing, serving, size
from tests.bench.figures import Figure

Measure = Callable[[Path, bool], Iterator[Figure]]
MEASURES: dict[str, Measure] = {
    "size": lambda folder, quick: size.measure(),
    "sealing": lambda folder, quick: sealing.measure(quick),
    "idle": serving.idle,
    "reports": serving.reports,
    "lookups": serving.lookups,
    "crowd": serving.crowd,
    "upload": serving.upload,
    "importing": importing.measure,
    "desk": desk.measure,
    "growth": growth.measure,
    "browser": browser.measure,
    "line": line.measure,
}


def main() -> None:
    """Measure, show, keep; or compare two runs."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Whistle beside the machine's limits.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller amounts: about a minute")
    parser.add_argument("--only", action="append", choices=MEASURES, help="only this part; may be repeated")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the run is kept")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("OLD", "NEW"), help="two runs that were kept")
    asked = parser.parse_args()
    if asked.compare:
        print(figures.comparison(*map(figures.read, asked.compare)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped too
    found: list[Figure] = []
    for name in asked.only or MEASURES:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="whistle-bench-") as folder:
            for figure in MEASURES[name](Path(folder), asked.quick):
                print("  " + figures.line(figure), flush=True)
                found.append(figure)
        print(f"{name}: {time.monotonic() - begun:.0f} seconds", flush=True)
    print(figures.table(found))
    figures.write(asked.json, found)
    if any(figure.holds is False for figure in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
