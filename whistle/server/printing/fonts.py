"""Fonts of this computer that have the letters of a language.  Nothing is printed with a letter missing."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont, TTLibError

from whistle.server.errors import CannotPrint

FOLDERS = {
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    "darwin": ("/Library/Fonts", "~/Library/Fonts", "/System/Library/Fonts"),
    "win32": ("C:/Windows/Fonts",),
}
# The first that have a letter are taken; then any other sans-serif font, and in the end any font at all.
PREFERRED = (
    "NotoSans-Regular.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "wqy-zenhei.ttc",
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
)
PLAIN = re.compile(r"(?i).*(sans|gothic|arial|hei).*")
STYLED = re.compile(r"(?i).*(bold|black|heavy|semi|thin|light|medium|italic|oblique|condensed|mono|serif|display|ui).*")
FACES = {"zh": "SC", "ja": "JP", "ko": "KR"}  # of a collection for Chinese, Japanese and Korean
PACKAGES = (  # of Debian, by how Unicode names the letters
    (("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "IDEOGRAPHIC"), "fonts-noto-cjk, or fonts-droid-fallback"),
    (("LATIN", "CYRILLIC", "GREEK", "ARABIC", "DIGIT"), "fonts-noto-core"),
)


@dataclass(frozen=True)
class Font:
    """One face of a file, and the file of its bold, which is the same where there is none."""

    path: Path
    bold: Path
    face: int  # within a collection

    def letters(self) -> set[str]:
        """Every letter that it has."""
        with TTFont(self.path, fontNumber=self.face, lazy=True) as font:
            return set(map(chr, font.getBestCmap() or ()))


def choose(text: str, language: str, own: Sequence[Path] = ()) -> tuple[Font, ...]:
    """The fonts to print a text with, the one that has most of it first; `own` before any other.

    Raises CannotPrint if some letter is in none of them.
    """
    needed = {letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cf", "Zs")}
    missing, found = set(needed), []
    for path in _files(own):
        if not missing:
            break
        font = _font(path, language)
        has = font.letters() & needed if font else set()
        if font and has & missing:
            missing -= has
            found.append((len(has), font))
    if missing:
        raise _no_glyphs(missing, language)
    return tuple(font for _, font in sorted(found, key=lambda each: -each[0]))


def _files(own: Sequence[Path]) -> Iterator[Path]:
    """Files of fonts in the order in which they are tried."""
    yield from own
    folders = (Path(each).expanduser() for each in FOLDERS.get(sys.platform, FOLDERS["linux"]))
    kinds = (".ttf", ".otf", ".ttc", ".otc")
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in kinds)
    named = {path.name: path for path in files}
    yield from (named[name] for name in PREFERRED if name in named)
    yield from sorted(files, key=lambda path: (bool(STYLED.fullmatch(path.stem)), not PLAIN.fullmatch(path.stem)))


def _font(path: Path, language: str) -> Font | None:
    """A file's face for a language; None if it is no font."""
    try:
        face = _face(path, FACES.get(language, "")) if path.suffix.lower() in (".ttc", ".otc") else 0
        with TTFont(path, fontNumber=face, lazy=True) as font:
            if "cmap" not in font or ("glyf" not in font and "CFF " not in font):
                return None  # pictures, or a font without letters
    except (OSError, TTLibError):
        return None
    bold = path.with_name(path.name.replace("-Regular", "-Bold"))
    if bold == path:
        bold = path.with_name(f"{path.stem}-Bold{path.suffix}")
    return Font(path, bold if bold.exists() else path, face)


def _face(path: Path, wanted: str) -> int:
    """The place of a face in a collection, by the end of its name; else the first."""
    with TTCollection(path, lazy=True) as collection:
        names = [str(font["name"].getDebugName(1)) for font in collection.fonts]
    return next((place for place, name in enumerate(names) if wanted and name.endswith(wanted)), 0)


def _no_glyphs(missing: Iterable[str], language: str) -> CannotPrint:
    names = [unicodedata.name(letter, "") for letter in sorted(missing)]
    found = [package for beginnings, package in PACKAGES for name in names if name.startswith(beginnings)]
    return CannotPrint(
        f"no font on this computer has all letters of the language {language}",
        f"on Debian: apt install {found[0] if found else 'fonts-noto'}; or give a font's file with --font",
    )
