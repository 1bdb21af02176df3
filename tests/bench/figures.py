"""What was measured: a figure beside its limit, how they are shown, kept and compared."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

Work = Callable[[], float]


@dataclass(frozen=True)
class Figure:
    """One line of the table.  ``ratio`` is the median of the rounds' ratios, or the value itself where no limit is.

    ``need`` is like `>= 0.7` or `<= 110`; empty where the figure is for orientation only.
    """

    name: str
    unit: str
    value: float
    limit: float | None = None
    ratio: float | None = None
    need: str = ""
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether it is as it must be; None where nothing is asked."""
        if not self.need:
            return None
        relation, wanted = self.need.split()
        judged = self.value if self.ratio is None else self.ratio
        return judged >= float(wanted) if relation == ">=" else judged <= float(wanted)


def interleaved(ours: Work, limit: Work, rounds: int) -> list[tuple[float, float]]:
    """Both measured in turn, that often; who goes first changes from round to round."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = limit()
            pairs.append((ours(), second))
        else:
            pairs.append((ours(), limit()))
    return pairs


def beside(name: str, unit: str, need: str, pairs: Sequence[tuple[float, float]], note: str = "") -> Figure:
    """The figure of several rounds."""
    value, limit = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Figure(name, unit, value, limit, statistics.median(ours / best for ours, best in pairs), need, note)


def table(figures: Sequence[Figure]) -> str:
    """All figures as text."""
    rows = [("figure", "here", "limit", "ratio", "must be", "", "note")]
    for each in figures:
        held = {True: "holds", False: "SHORT", None: ""}[each.holds]
        measured = (f"{_short(each.value)} {each.unit}", _short(each.limit), _short(each.ratio))
        rows.append((each.name, *measured, each.need, held, each.note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def line(figure: Figure) -> str:
    """A figure as one line, for whoever waits."""
    ratio = f" = {_short(figure.ratio)} of {_short(figure.limit)}" if figure.ratio is not None else ""
    return f"{figure.name}: {_short(figure.value)} {figure.unit}{ratio}"


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Keep a run."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    kept = {"machine": machine, "figures": [asdict(each) for each in figures]}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def read(path: Path) -> list[Figure]:
    """A run that was kept."""
    return [Figure(**each) for each in json.loads(path.read_text())["figures"]]


def comparison(old: Sequence[Figure], new: Sequence[Figure]) -> str:
    """Two runs beside each other, by the ratio where there is one: machines differ, ratios less so."""
    before = {each.name: each for each in old}
    lines = [f"{'figure':44}{'old':>10}{'new':>10}{'change':>9}"]
    for each in new:
        was = before.get(each.name)
        then, now = (None if one is None else one.value if one.ratio is None else one.ratio for one in (was, each))
        change = f"{100 * (now / then - 1):+.0f} %" if then and now else ""
        lines.append(f"{each.name:44}{_short(then):>10}{_short(now):>10}{change:>9}")
    return "\n".join(lines)
