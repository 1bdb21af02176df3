"""What the trials measured, as a table behind their results."""

from collections.abc import Callable

import pytest

KEY = "measured"
ROW = "row"
Measure = Callable[[str, object], None]
Row = Callable[[dict[str, object]], None]


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measure:
    """Note a figure for the table: what it is, and how much."""

    def note(what: str, much: object) -> None:
        record_property(KEY, (what, str(much)))

    return note


@pytest.fixture
def row(record_property: Callable[[str, object], None]) -> Row:
    """Add a row to the last table, a name for each column."""

    def note(cells: dict[str, object]) -> None:
        record_property(ROW, {name: str(cell) for name, cell in cells.items()})

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table: test, outcome, seconds, and what it measured."""
    reports = [
        report
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.stats.get(outcome, [])
        if "tests/trial/" in report.nodeid and (report.when == "call" or outcome == "skipped")
    ]
    if not reports:
        return
    terminalreporter.section("trials")
    for report in sorted(reports, key=lambda each: each.nodeid):
        name = report.nodeid.rpartition("tests/trial/")[2]
        terminalreporter.write_line(f"{report.outcome:8} {report.duration:8.1f} s  {name}")
        for key, value in report.user_properties:
            if key == KEY:
                what, much = value
                terminalreporter.write_line(f"{'':21}{what}: {much}")
    rows = [{"": each.outcome, **value} for each in reports for key, value in each.user_properties if key == ROW]
    for line in aligned(rows):
        terminalreporter.write_line(line)


def aligned(rows: list[dict[str, str]]) -> list[str]:
    """The lines of a table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([row.get(name, "") for name in names] for row in rows)] if rows else []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
