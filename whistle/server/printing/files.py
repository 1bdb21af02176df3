"""The files that are printed: `poster-fr.pdf` and `cards-fr.pdf` for each language, and `slips.pdf`."""

from collections.abc import Sequence
from pathlib import Path

from whistle import durable
from whistle.server import key_files
from whistle.server.config import Config
from whistle.server.errors import CannotPrint
from whistle.server.printing import fonts, pages
from whistle.server.printing.content import gather

PUBLIC = 0o644


def make(
    config: Config,
    folder: Path,
    addresses: Sequence[str],
    languages: Sequence[str] = (),
    countries: Sequence[str] = (),
    own_fonts: Sequence[Path] = (),
) -> list[Path]:
    """Write them, for all languages that the server offers or for some; returns where.

    Raises CannotPrint before anything is written, and OSError.
    """
    if unknown := [language for language in languages if language not in config.languages]:
        raise CannotPrint(
            f"this server has no pages in the language {unknown[0]}",
            f"choose among {', '.join(config.languages)}, or name it under [name] in whistle.toml",
        )
    roots = key_files.read_roots(config.keys)
    if not roots:
        raise CannotPrint("this server has no root key yet", "first: whistle server init --keys FOLDER")
    made = {}
    for language in languages or config.languages:
        content = gather(config, language, addresses, roots, countries)
        chosen = fonts.choose(content.texts, language, own_fonts)
        made[f"poster-{language}.pdf"] = pages.poster(content, chosen)
        made[f"cards-{language}.pdf"] = pages.cards(content, chosen)
    made["slips.pdf"] = pages.slips(fonts.choose("0123456789", "en", own_fonts))
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in made.items():
        durable.write(folder / name, sheet.pdf(), PUBLIC)
    return [folder / name for name in made]
