"""Guidance in Markdown, one file a language: topics under headings, each with a body of plain elements.

The files in `guidance` beside this module are the defaults; `guidance/xx.md` beside whistle.toml replaces the one of
its language.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

import bleach
import markdown
from markupsafe import Markup

from whistle.server.errors import ConfigError
from whistle.server.toml_reader import LANGUAGE
from whistle.translations import cldr

FOLDER = "guidance"
SUFFIX = ".md"
LIMIT = 16_384  # bytes of one file, so that the page stays small on a slow line
TAGS = frozenset(["p", "br", "h3", "h4", "h5", "ul", "ol", "li", "strong", "em", "code", "blockquote", "a", "abbr"])
ATTRIBUTES = {"a": ["href"], "abbr": ["title"]}
PROTOCOLS = frozenset(("https", "http", "mailto", "tel"))
HEADING = re.compile(r"##(?!#)\s*(.*?)\s*#*")
MISTAKES = (  # what is looked for in a line, what it is, and what to do
    (re.compile(r"^#(?!#)"), "the page has its own title", "begin topics with ##, headings in them with ###"),
    (re.compile(r"!\["), "pictures are not shown", "say it in words"),
    (re.compile(r"<(?!https?://|mailto:)[a-zA-Z/!?]"), "HTML is not shown", "write it in Markdown"),
    (
        re.compile(r"\]\(\s*<?(?!https?://|mailto:|tel:)"),
        "a link to nowhere",
        "begin it with https://, mailto: or tel:",
    ),
    (re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]"), "an invisible control character", "delete it"),
)
BEGINNING = "write a heading such as `## Before you write`, and a text under it"


@dataclass(frozen=True)
class Topic:
    """A heading, and the Markdown of what stands under it."""

    title: str
    text: str

    @property
    def body(self) -> Markup:
        """Safe HTML of the text."""
        return render(self.text)


def read(folder: Path) -> Mapping[str, tuple[Topic, ...]]:
    """The topics in each language; `folder` is a server's.  ConfigError names file, line, and what to do."""
    texts = {language: default(language) for language in defaults()}
    for path in sorted((folder / FOLDER).glob(f"*{SUFFIX}")):
        if not LANGUAGE.fullmatch(path.stem) or not cldr.is_known(path.stem):
            raise ConfigError(f"{FOLDER}/{path.name} is named after no language", f"name it by a code: fr{SUFFIX}")
        texts[path.stem] = _text(path)
    return {language: tuple(_topics(f"{FOLDER}/{language}{SUFFIX}", text)) for language, text in texts.items()}


def defaults() -> list[str]:
    """The languages in which there is a default."""
    files = resources.files(__package__).joinpath(FOLDER).iterdir()
    return sorted(file.name.removesuffix(SUFFIX) for file in files if file.name.endswith(SUFFIX))


def default(language: str) -> str:
    """The default's Markdown."""
    return resources.files(__package__).joinpath(FOLDER, language + SUFFIX).read_text("utf-8")


@functools.cache
def render(text: str) -> Markup:
    """Safe HTML of a Markdown text: no images, scripts, styles, frames, forms or URLs of other schemes."""
    html = markdown.markdown(text, extensions=["sane_lists"])
    clean = bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True, strip_comments=True)
    return Markup(clean)  # noqa: S704  sanitized by bleach


def _text(path: Path) -> str:
    name = f"{FOLDER}/{path.name}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name} cannot be read", "let the server's user read it") from error
    if len(data) > LIMIT:
        raise ConfigError(f"{name} is too long", f"shorten it from {len(data)} to {LIMIT} bytes, for slow lines")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}, line {line}: not UTF-8", "save the file in that encoding") from error


def _topics(name: str, text: str) -> Iterator[Topic]:
    lines = text.splitlines()
    headings = [(number, found[1]) for number, line in enumerate(lines) if (found := HEADING.fullmatch(line))]
    if not headings:
        raise ConfigError(f"{name} has no topic", BEGINNING)
    for number, line in enumerate(lines, 1):
        _check(f"{name}, line {number}", line, above=number <= headings[0][0])
    for (start, title), (end, _) in pairwise([*headings, (len(lines), "")]):
        body = "\n".join(lines[start + 1 : end]).strip()
        if not title:
            raise ConfigError(f"{name}, line {start + 1}: a heading without words", "write them after ##")
        if not body:
            raise ConfigError(f"{name}, line {start + 1}: nothing stands under this heading", "write it or delete it")
        yield Topic(title, body)


def _check(where: str, line: str, above: bool) -> None:
    for pattern, what, todo in MISTAKES:
        if pattern.search(line):
            raise ConfigError(f"{where}: {what}", todo)
    if above and line.strip():
        raise ConfigError(f"{where}: this stands above the first topic", BEGINNING)
