"""Untrusted file names, made safe to save under on every system (SPEC 6.5).

A safe name stays in its folder, is not special to Windows, macOS or a shell, and triggers nothing when the folder is
viewed.  No Unicode property decides, since that would drop characters newer than its table.
"""

import re
import unicodedata

from whistle.protocol import invisible_text

LONGEST = 200  # bytes of a name in UTF-8, including a number such as ` (2)`
LONGEST_ENDING = 20  # bytes
NAMELESS = "attachment"
FORBIDDEN = re.compile(r'[<>:"|?*]')
# Controls, line ends, lone surrogates, private-use characters and noncharacters.
SENSELESS = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\ue000-\\uf8ff\\ufdd0-\\ufdef\\ufffe\\uffff\\U000f0000-\\U0010ffff]"
)
SPACES = re.compile("[ \\xa0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]+")
DEVICES = re.compile(r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9])")
READ_BY_ITSELF = ("desktop.ini", "autorun.inf", "folder.htt", "thumbs.db", "ntuser.dat")  # by Windows, in any folder
# Links, searches and themes, which Windows and some Linux desktops follow in order to show an icon.
FOLLOWED = {
    "lnk", "url", "scf", "pif", "website", "library-ms", "search-ms", "searchconnector-ms", "appref-ms",
    "settingcontent-ms", "theme", "themepack", "deskthemepack", "contact", "desktop", "directory",
    "inetloc", "fileloc", "webloc",
}  # fmt: skip


def safe_name(name: str, reserve: int = 0) -> str:
    """A name that is a plain file's on every system, at most 200 bytes less `reserve`."""
    last = re.split(r"[/\\]", name)[-1]
    seen = unicodedata.normalize("NFC", SENSELESS.sub("", invisible_text.strip_invisible(last)))
    stem, ending = _parted(last, FORBIDDEN.sub("_", SPACES.sub(" ", seen)).rstrip(" ."))
    if _folded(ending[1:]) in FOLLOWED:
        ending += "_"
    room = LONGEST - reserve - len(ending.encode())
    stem = _cut(stem.strip(" ."), room).rstrip(" .") or NAMELESS
    return ("_" + _cut(stem, room - 1) if _is_special(stem, stem + ending) else stem) + ending


def _parted(last: str, clean: str) -> tuple[str, str]:
    """The stem, and the ending with its dot; a name that a leading dot hides is all stem.

    `last` is the name as given: where cleaning left nothing but the ending, the stem is empty.
    """
    stem, dot, ending = clean.rpartition(".")
    is_hidden = not stem.lstrip(" .") and last.lstrip(" .").startswith(clean.lstrip(" ."))
    is_short = bool(dot) and len(ending.encode()) <= LONGEST_ENDING
    return (stem, dot + ending) if is_short and not is_hidden else (clean, "")


def numbered(name: str, count: int) -> str:
    """The safe name, or `name (2).ext` if `count` is 2 or more."""
    if count < 2:
        return safe_name(name)
    mark = f" ({count})"
    stem, dot, ending = safe_name(name, len(mark)).rpartition(".")
    return f"{stem}{mark}.{ending}" if dot else f"{ending}{mark}"


def _is_special(stem: str, whole: str) -> bool:
    first = _folded(stem).partition(".")[0].strip()
    return bool(DEVICES.fullmatch(first)) or stem.startswith(("-", "~")) or _folded(whole) in READ_BY_ITSELF


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")
