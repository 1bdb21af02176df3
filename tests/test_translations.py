"""What people read, in every language: whole, said by CLDR's rules, and mistakes told by file and line."""

import datetime
import gettext
import re
from pathlib import Path

import pytest
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from click.testing import CliRunner

import whistle.server
from tests import make_cldr
from whistle.cli import server as commands
from whistle.cli.errors import Problem
from whistle.server.config import Config
from whistle.server.running import setup
from whistle.translations import __main__ as languages
from whistle.translations import catalogues, cldr
from whistle.translations.catalogues import places
from whistle.translations.negotiation import negotiate

SIX = {"ar", "en", "es", "fr", "ru", "zh"}
SERVER = Path(whistle.server.__file__).parent
FOLDER = Path(catalogues.__file__).parent / "reporter"
DAY = datetime.date(2026, 5, 3)


def asked_for() -> set[str]:
    """Every literal key of a message that the templates and the server's own code name."""
    files = [*SERVER.glob("*.py"), *SERVER.rglob("*.html")]
    return {key for file in files for key in re.findall(r'"([a-z_]+\.[a-z_]+)"', file.read_text("utf-8"))}


@pytest.mark.parametrize("domain", languages.DOMAINS)
def test_every_language_is_whole_and_new(domain: str) -> None:
    """Each has every text, none that English has not, none of an older English, and the same places."""
    files = catalogues.files(domain)
    assert set(files) == SIX
    assert [line for path in files.values() for line in languages.told(path, domain)] == []


@pytest.mark.parametrize("domain", languages.DOMAINS)
def test_no_french_line_begins_with_a_mark(domain: str) -> None:
    """What French sets apart from its word stands behind a space that does not break."""
    texts = [str(message) for message in catalogues.shipped(domain)["fr"].messages.values()]
    assert [text for text in texts if re.search(r" [?!;:»]|« ", text)] == []


@pytest.mark.parametrize("language", sorted(SIX))
def test_gettext_itself_reads_them_and_chooses_the_same_form(language: str) -> None:
    """What translators' tools show for a number is what pages show."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalog = read_po(file, abort_invalid=True)
    choose = gettext.c2py(catalog.plural_expr)
    translation = catalogues.load(language)
    for message in catalog:
        if isinstance(message.id, tuple) and language != "en":
            for n in range(130):
                shown = message.string[choose(n)].replace("{n}", str(n))
                filled = dict.fromkeys(places(shown) or (), "-")
                assert translation.text(message.context, n, **filled) == shown.format(**filled)


def test_what_is_missing_or_stale_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make languages` names file, line and key, with the English of then and of now."""
    assert languages.main([]) == 0
    italian = entry("page.start", "Back to the beginning", "Torna all’inizio").replace("n > 1", "n != 1")
    (tmp_path / "it.po").write_text(italian, "utf-8")
    (tmp_path / "fr.po").write_text(entry("page.stert", "…", "…"), "utf-8")
    capsys.readouterr()
    assert languages.main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "it.po, line 7: page.start is stale; it was 'Back to the beginning' and is 'Back to the start'" in said
    assert "it.po: page.leave is missing: 'Leave this page'" in said
    assert "fr.po, line 7: there is no text page.stert: take it out" in said and "fr.po: page.leave" not in said


def test_a_text_for_replies_keeps_its_fields(tmp_path: Path) -> None:
    """Those that Whistle fills in, and as many as in English for whoever writes, whose words are translated."""
    ours = (FOLDER.parent / "replies" / "fr.po").read_text("utf-8")
    wrong = {
        "{les raisons}": ("{reference}", "has other fields to be filled in than in English: it has {role}, {today}"),
        "{la raison}": ("la raison", "has another number of fields in curly brackets than in English: it has 3"),
        "{vos questions}": ("{vos propres questions}", ""),
    }
    for old, (new, said) in wrong.items():
        (tmp_path / "fr.po").write_text(ours.replace(old, new, 1), "utf-8")
        lines = list(languages.told(tmp_path / "fr.po", catalogues.REPLIES))
        assert [said in line for line in lines] == [True] * bool(said), old


def test_messages_that_pages_name_exist() -> None:
    """No template and no module names a message that there is not."""
    known = set(catalogues.english())
    sections = {key.split(".")[0] for key in known}
    named = {key for key in asked_for() if key.split(".")[0] in sections and not key.endswith("_")}
    missing = {key for key in named - known if not key.endswith((".html", ".css", ".toml"))}
    assert missing <= {"tell.text_hint"}


COUNTED = {
    "ar": {0: "zero", 1: "one", 2: "two", 3: "few", 10: "few", 11: "many", 99: "many", 100: "other", 102: "other",
           103: "few", 111: "many"},
    "ru": {0: "many", 1: "one", 2: "few", 4: "few", 5: "many", 11: "many", 12: "many", 21: "one", 22: "few"},
    "fr": {0: "one", 1: "one", 2: "other"},
    "es": {0: "other", 1: "one", 2: "other"},
    "zh": {0: "other", 1: "other"},
}  # fmt: skip


@pytest.mark.parametrize("language", COUNTED)
def test_forms_are_chosen_as_cldr_says(language: str) -> None:
    """Arabic has six forms, Russian three, French none of its own for nothing, Chinese one."""
    assert {n: cldr.plural_form(language, n) for n in COUNTED[language]} == COUNTED[language]


@pytest.mark.parametrize("language", sorted(SIX))
def test_what_is_kept_of_cldr_is_what_babel_says(language: str) -> None:
    """How the six languages count, write dates and lists, and call each other."""
    locale = make_cldr.languages()[language]
    kept = cldr.conventions(language)
    assert {n: cldr.plural_form(language, n) for n in range(1500)} == {n: locale.plural_form(n) for n in range(1500)}
    assert cldr.long_day(language, DAY) == format_date(DAY, "full", locale=locale)
    assert cldr.day(language, DAY) == format_date(DAY, "long", locale=locale)
    assert cldr.month(language, 2026, 10) == format_skeleton("yMMMM", datetime.date(2026, 10, 1), locale=locale)
    for items in ("A", "AB", "ABC", "ABCD"):
        assert catalogues.load(language).plain_list(items) == format_list(list(items), locale=locale)
    assert {code: kept.languages[code] for code in SIX} == {code: locale.languages[code] for code in SIX}
    assert cldr.country_name(language, "CI") == locale.territories["CI"]
    assert cldr.number(language, 1_234_567.5) == format_decimal(1_234_567.5, locale=locale)


def test_values_are_escaped_and_kept_apart() -> None:
    """A value can bring no markup, and its direction does not disturb the sentence around it."""
    said = catalogues.load("en")("reading.will", names="<b>A & B</b>")
    assert said == "Will read it: <bdi>&lt;b&gt;A &amp; B&lt;/b&gt;</bdi>."


def test_lists_keep_each_item_apart() -> None:
    """Names in a row stand apart, so that Arabic and Latin names keep their order."""
    arabic = catalogues.load("ar")
    assert arabic.listed(["A", "<C>"]) == "<bdi>A</bdi> و<bdi>&lt;C&gt;</bdi>"
    assert arabic.listed(["A"]) == "<bdi>A</bdi>"
    assert arabic.listed([]) == ""


SAID = {
    "ar": ("الأحد، 3 مايو 2026", "A وB وC", "الصينية", "العربية", "rtl"),
    "en": ("Sunday, 3 May 2026", "A, B and C", "Chinese", "English", "ltr"),
    "es": ("domingo, 3 de mayo de 2026", "A, B y C", "chino", "Español", "ltr"),
    "fr": ("dimanche 3 mai 2026", "A, B et C", "chinois", "Français", "ltr"),
    "ru": ("воскресенье, 3 мая 2026 г.", "A, B и C", "китайский", "Русский", "ltr"),
    "zh": ("2026年5月3日星期日", "A、B和C", "中文", "中文", "ltr"),
}


@pytest.mark.parametrize("language", SAID)
def test_days_lists_and_languages_are_written_as_people_write_them(language: str) -> None:
    """As CLDR has them."""
    t = catalogues.load(language)
    assert (t.long_day(DAY), t.plain_list("ABC"), t.language("zh"), t.name, t.direction) == SAID[language]


def test_sizes_are_said_as_people_say_them() -> None:
    """In the largest unit, with the language's own mark for a fraction."""
    sizes = (9, 2048, 1_572_864, 4 << 30)
    assert [catalogues.load("en").size(size) for size in sizes] == ["9 bytes", "2 KB", "1.5 MB", "4 GB"]
    assert catalogues.load("fr").size(1_572_864) == "1,5 Mo"


def test_a_language_or_a_correction_of_the_organisations_own(tmp_path: Path) -> None:
    """A file beside whistle.toml corrects a text of ours, or brings a language that Whistle has not."""
    config = with_files(tmp_path, **{"fr.po": entry("page.start", "Back to the start", "Retour à l’accueil")})
    assert config.translations["fr"].text("page.start") == "Retour à l’accueil"
    assert config.translations["fr"].text("page.skip") == catalogues.load("fr").text("page.skip")
    ukrainian = (FOLDER / "ru.po").read_text("utf-8").replace("Language: ru", "Language: uk")
    assert with_files(tmp_path, **{"uk.po": ukrainian}).translations["uk"].name == "Українська"


TYPE = '"Content-Type: text/plain; charset=UTF-8\\n"'
HEADER = f'msgid ""\nmsgstr ""\n{TYPE}\n"Plural-Forms: nplurals=2; plural=n > 1;\\n"\n'
COUNT = 'msgctxt "tell.count"\nmsgid "{n} file"\nmsgid_plural "{n} files"\n'


def entry(key: str, english: str, text: str) -> str:
    """A file of one text."""
    return f'{HEADER}\nmsgctxt "{key}"\nmsgid "{english}"\nmsgstr "{text}"\n'


def with_files(folder: Path, **files: str) -> Config:
    """The configuration of a server's folder with these translations."""
    if not (folder / "whistle.toml").exists():
        setup.make(folder, "Org", "127.0.0.1:8080", 8)
    (folder / "translations").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "translations" / name).write_text(text, "utf-8")
    return Config.load(folder)


def refused(folder: Path) -> Problem:
    """What a command of the server says instead of beginning."""
    result = CliRunner().invoke(commands.server, ["check", "--folder", str(folder)], standalone_mode=False)
    assert isinstance(result.exception, Problem)
    return result.exception


ONE = entry("page.start", "…", "Retour")
MISTAKES = {
    "unknown key": ("fr.po", entry("page.stert", "Back", "Retour"), "fr.po, line 7: there is no text page.stert"),
    "other place": ("fr.po", entry("case.sent", "…", "Envoyé le {date}."), "fr.po, line 7: case.sent has other places"),
    "lost place": ("fr.po", entry("case.sent", "…", "Envoyé."), "fr.po, line 7: case.sent has other places"),
    "half a brace": ("fr.po", entry("case.sent", "…", "Envoyé le {day."), "fr.po, line 7: case.sent has a brace"),
    "reaches into a value": ("fr.po", entry("case.sent", "…", "{day.__class__}"), "line 7: case.sent has a brace"),
    "markup": ("fr.po", entry("page.start", "…", "<b>Retour</b>"), "fr.po, line 7: page.start holds markup"),
    "entity": ("fr.po", entry("page.start", "…", "Retour &amp; fin"), "fr.po, line 7: page.start holds markup"),
    "missing form": ("fr.po", HEADER + COUNT + 'msgstr[0] "un"\n', "line 6: tell.count has no form for other"),
    "forms of none": ("fr.po", entry("tell.count", "…", "fichiers"), "line 7: tell.count has another number of forms"),
    "too many forms": ("fr.po", HEADER + COUNT + 'msgstr[2] "trois"\n', "line 6: tell.count has other lines"),
    "text without end": ("fr.po", entry("page.start", "…", "Retour") + '\nmsgctxt "page', "line 10: this is no line"),
    "text beside": ("fr.po", HEADER + "hello\n", "fr.po, line 5: this is no line of a .po file"),
    "no translation": ("fr.po", HEADER + 'msgctxt "page.start"\nmsgid "…"\n', "fr.po, line 6: page.start has other"),
    "no key": ("fr.po", HEADER + 'msgid "…"\nmsgstr "…"\n', "fr.po, line 5: this entry has no msgctxt"),
    "twice": ("fr.po", ONE + ONE.removeprefix(HEADER), "line 11: page.start stands in line 7 too"),
    "fuzzy": ("fr.po", entry("page.start", "…", "Retour").replace("\n\n", "\n#, fuzzy\n"), "line 7: page.start is"),
    "other forms than CLDR's": ("ru.po", HEADER, "ru.po, line 4: Plural-Forms is missing, or chooses other forms"),
    "no header": ("fr.po", 'msgctxt "page.start"\nmsgid "…"\nmsgstr "…"\n', "fr.po, line 1: Plural-Forms is missing"),
    "no such language": ("qqx.po", HEADER, "qqx.po is named after no language"),
    "not whole": ("it.po", HEADER.replace("n > 1", "n != 1"), "it.po: page.leave is not translated, nor"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_at_start_by_file_and_line(tmp_path: Path, name: str) -> None:
    """The server does not start, names the line, and says what to do."""
    setup.make(tmp_path, "Org", "127.0.0.1:8080", 8)
    file, text, told = MISTAKES[name]
    (tmp_path / "translations").mkdir()
    (tmp_path / "translations" / file).write_text(text, "utf-8")
    problem = refused(tmp_path)
    assert str(problem).startswith("translations/") and told in str(problem)
    assert problem.hint and "whistle.toml" not in problem.hint


def test_a_file_that_is_no_text_is_told_by_line(tmp_path: Path) -> None:
    """As an editor saves it that knows another coding."""
    setup.make(tmp_path, "Org", "127.0.0.1:8080", 8)
    (tmp_path / "translations").mkdir()
    (tmp_path / "translations" / "fr.po").write_bytes(entry("page.start", "…", "Démarrer").encode("latin-1", "ignore"))
    assert "fr.po, line 8: these bytes are no UTF-8" in str(refused(tmp_path))


@pytest.mark.parametrize(
    ("asked", "given"),
    [([("ar", 1.0)], "ar"), ([("ar-EG", 1.0), ("en", 0.5)], "ar"), ([("de", 1.0)], "en"), ([], "en")],
    ids=["asked for", "a country's", "not there", "nothing"],
)
def test_negotiates_the_language(asked: list[tuple[str, float]], given: str) -> None:
    """A browser gets a language that it asks for, or else the first that the organisation has."""
    assert negotiate(asked, ["en", "ar"]) == given
