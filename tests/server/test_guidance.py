"""The guidance and the places of help: whole by default, replaced by an organisation's own, mistakes named by line."""

from pathlib import Path

import pytest

from whistle.server import places, topics
from whistle.server.errors import ConfigError

LANGUAGES = ["ar", "en", "es", "fr", "ru", "zh"]

WRONG = {
    "empty": ("", "guidance/en.md has no topic"),
    "blank_lines": ("\n\n\n", "guidance/en.md has no topic"),
    "before_a_topic": ("Read this.\n\n## Help\n\nCall.", "line 1: this stands above the first topic"),
    "title": ("## Help\n\nCall.\n\n# Us\n\nNo.", "line 5: the page has its own title"),
    "no_words": ("## Help\n\nCall.\n\n##\n\nNo.", "line 5: a heading without words"),
    "no_text": ("## Help\n\n## Us\n\nNo.", "line 1: nothing stands under this heading"),
    "picture": ("## Help\n\n![us](us.png)", "line 3: pictures are not shown"),
    "html": ("## Help\n\nCall <b>now</b>.", "line 3: HTML is not shown"),
    "comment": ("## Help\n\nCall. <!-- whom? -->", "line 3: HTML is not shown"),
    "script_link": ("## Help\n\n[us](javascript:x)", "line 3: a link to nowhere"),
    "link_inside": ("## Help\n\n[us](/us)", "line 3: a link to nowhere"),
    "invisible": ("## Help\n\nCall \u202e112.", "line 3: an invisible control character"),
    "other_encoding": ("## Hilfe\n\nKönig".encode("latin-1"), "line 3: not UTF-8"),
    "long": ("## Help\n\n" + "Call. " * 3000, "guidance/en.md is too long"),
}


def own(folder: Path, text: str | bytes, name: str = "en.md") -> Path:
    (folder / "guidance").mkdir()
    (folder / "guidance" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_the_default_says_the_same_in_six_languages(tmp_path: Path) -> None:
    """Each language has all topics, and as many points in each as English."""
    read = topics.read(tmp_path)
    assert sorted(read) == LANGUAGES == topics.defaults()
    for language in LANGUAGES:
        assert [topic.body.count("<li>") for topic in read[language]] == [
            topic.body.count("<li>") for topic in read["en"]
        ], language
        assert len(topics.default(language).encode()) <= topics.LIMIT


def test_a_file_of_ones_own_replaces_one_language(tmp_path: Path) -> None:
    """Topics and text are the organisation's; the other languages stay."""
    read = topics.read(own(tmp_path, "## Whom to *ask*\n\nCall [us](tel:+4112).\n\n### At night\n\nThe guard."))
    assert [topic.title for topic in read["en"]] == ["Whom to *ask*"]
    assert '<a href="tel:+4112">us</a>' in read["en"][0].body and "<h3>At night</h3>" in read["en"][0].body
    assert len(read["fr"]) > 5


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_named_by_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    """Nothing starts with guidance that would not be shown as it was written."""
    with pytest.raises(ConfigError) as told:
        topics.read(own(tmp_path, text))
    assert said in str(told.value) and "guidance/en.md" in str(told.value) and told.value.hint


def test_a_file_is_named_by_its_language(tmp_path: Path) -> None:
    """Else nobody would ever see it."""
    with pytest.raises(ConfigError, match=r"guidance/English.md is named after no language"):
        topics.read(own(tmp_path, "## Help\n\nCall.", "English.md"))


def test_places_of_help_are_there_and_are_replaced(tmp_path: Path) -> None:
    """Every place has a number for emergencies and a line; a file of one's own replaces all."""
    usual = places.read(tmp_path)
    assert len(usual) >= 35 and all(place.emergency and place.lines for place in usual)
    (tmp_path / "places.toml").write_text(
        '[FR]\nemergency = "112"\nlines = [{ number = "3919", name = "3919", for = "violence" }]'
    )
    assert places.read(tmp_path) == (places.Place("FR", "112", (places.Line("3919", "3919", "violence"),)),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[FR\n", "places.toml: .*line 1"),
        ("[France]\n", r"places.toml: \[France\] is no country"),
        ("[FR]\n", "FR.emergency"),
        ('[FR]\nemergency = "112"\nlines = [{ number = "1", name = "x", for = "fun" }]', "must be one of"),
        ('[FR]\nemergency = "112"\ncolour = 1', "FR.colour is not known here"),
        ("[QQ]\nemergency = '1'", r"places.toml: \[QQ\] is no country"),
    ],
)
def test_a_mistake_in_the_places_is_named(tmp_path: Path, text: str, said: str) -> None:
    """By line where the file cannot be read, else by the name of what is wrong."""
    (tmp_path / "places.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        places.read(tmp_path)
