"""Progress of long work, on stderr: a bar on a terminal, elsewhere a line for every tenth."""

import sys
import time

import click

EVERY = 0.1  # seconds between two drawings
WIDTH = 30  # characters


class Progress:
    """Call it with a step, the count done and the total; `labels` has a label for each step."""

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels
        self._drawn = 0.0
        self._tenth = ("", 0)

    def __call__(self, step: str, done: int, total: int) -> None:
        label = self._labels.get(step, step)
        if not sys.stderr.isatty():
            self._line(label, done, total)
        elif done >= total or time.monotonic() - self._drawn > EVERY:
            self._drawn = time.monotonic()
            full = WIDTH * done // max(total, 1)
            click.echo(f"\r{label} [{'#' * full}{' ' * (WIDTH - full)}]", nl=done >= total, err=True)

    def _line(self, label: str, done: int, total: int) -> None:
        tenth = (label, 10 * done // max(total, 1))
        if tenth != self._tenth and total > 1:
            self._tenth = tenth
            click.echo(f"{label}: {10 * tenth[1]} %", err=True)
