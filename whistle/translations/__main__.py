"""Say what is missing, wrong or stale in the catalogues: those of Whistle, and those in a folder if one is named.

A text is stale if its English was another one when it was translated.  The exit status is 1 if there is anything.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from whistle.translations import catalogues
from whistle.translations.default_questions import QUESTIONS
from whistle.translations.defaults import ORGANISATION
from whistle.translations.errors import CatalogueError
from whistle.translations.po import read

DOMAINS = (
    catalogues.REPORTER,
    catalogues.COMMAND,
    catalogues.WORKSTATION,
    catalogues.REPLIES,
    ORGANISATION,
    QUESTIONS,
)


def told(path: Path, domain: str, is_whole: bool = True) -> Iterator[str]:
    """What is to do in a file, a line each."""
    code = path.stem
    try:
        entries = read(path, code)
        for error in catalogues.mistakes(path, code, entries, domain):
            yield f"{error}: {error.hint}"
    except CatalogueError as exc:
        yield f"{exc}: {exc.hint}"
        return
    english = catalogues.english(domain)
    for entry in catalogues.stale(entries, domain):
        was, now = (" / ".join(texts) for texts in (entry.english, english[entry.key].english))
        yield f"{path.name}, line {entry.line}: {entry.key} is stale; it was {was!r} and is {now!r}: translate it anew"
    done = {entry.key for entry in entries if entry.texts or code == catalogues.ENGLISH}
    for key in catalogues.missing(done, domain) if is_whole else ():
        yield f"{path.name}: {key} is missing: {' / '.join(english[key].english)!r}"


def _of(*domains: str) -> list[str]:
    paths = [(path, domain) for domain in domains for path in catalogues.files(domain).values()]
    return [f"{domain}/{line}" for path, domain in paths for line in told(path, domain)]


def main(folders: list[str]) -> int:
    """Tell it for all files; the exit status."""
    lines = _of(*DOMAINS)
    for folder in folders:
        paths = sorted(Path(folder).glob("*.po"))
        ours = catalogues.files(catalogues.REPORTER)
        lines += (line for path in paths for line in told(path, catalogues.REPORTER, path.stem not in ours))
    print("\n".join(lines) or "Every language is whole and up to date.")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
