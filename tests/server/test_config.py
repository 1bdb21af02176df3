"""whistle.toml is read strictly."""

from pathlib import Path

import pytest

from whistle.protocol.reporter.questions import in_language
from whistle.server.config import Config, Rate
from whistle.server.errors import ConfigError, StartError
from whistle.server.running import setup

FULL = """
leave = "https://weather.example/"
name = { en = "North Office", ar = "مكتب الشمال" }
[[emergency]]
number = "112"
label.en = "police"
[[channels.fraud.questions]]
id = "when"
label.en = "When?"
[[outside]]
name.en = "Council"
contact = "https://council.example"
[[plan]]
days = 7
done_by = "acknowledgement"
text.en = "We answer."
[limits]
storage = "redis://127.0.0.1:6379"
lookup = { each = "3 per minute" }
[server]
bind = "127.0.0.1:9000"
behind_tor = false
trusted_proxies = 1
hosts = ["report.example.org", "[::1]:8080"]
max_upload_mib = 10
chaff = 1
"""

WRONG = {
    "unknown_name": ('colour = "red"', "colour is not known here"),
    "unknown_inner_name": ("[server]\nthread = 4", "server.thread is not known here"),
    "wrong_type": ('[server]\nthreads = "many"', "server.threads must be a whole number"),
    "flag_as_number": ("[server]\nbehind_tor = 1", "server.behind_tor must be true or false"),
    "number_as_flag": ("[server]\nthreads = true", "server.threads must be a whole number"),
    "out_of_range": ("[server]\nslots = 99", "server.slots must be from 2 to 16"),
    "bad_rate": ('[limits]\nlookup = { each = "often" }', "limits.lookup.each must be a rate"),
    "circuits": ("[server]\ncircuits = true\nbehind_tor = false", "server.circuits needs behind_tor = true"),
    "unknown_action": ('[limits]\nsing = { each = "1 per day" }', "limits.sing is not known here"),
    "bad_question_id": ('[[channels.fraud.questions]]\nid = "When?"\nlabel.en = "When?"', "must be made of a to z"),
    "question_twice": (
        '[[channels.fraud.questions]]\nid = "a"\nlabel.en = "A"\n' * 2,
        "must be another than a",
    ),
    "question_that_is_the_way": (
        '[[channels.fraud.questions]]\nid = "way"\nlabel.en = "How?"',
        "must not be way, which means something else",
    ),
    "more_questions_than_a_report_answers": (
        "[channels.fraud]\n"
        + "".join(f'[[channels.fraud.questions]]\nid = "n{number}"\nlabel.en = "A"\n' for number in range(61)),
        "channels.fraud.questions[61] is beyond the 60 questions",
    ),
    "step_done_by": (
        '[[plan]]\ndays = 7\ntext.en = "We answer."\ndone_by = "thanks"',
        "plan[1].done_by must be acknowledgement or feedback, or left out",
    ),
    "guidance_as_before": ('[guidance]\nen = "guide.md"', "guidance is not known here"),
    "leave_without_scheme": ('leave = "weather.example"', "leave must be an address that begins with https://"),
    "bad_host": ('[server]\nhosts = ["https://report.example.org"]', "server.hosts must hold names like"),
    "hosts_of_another_kind": ("[server]\nhosts = [1]", "server.hosts must be a list of texts"),
    "bad_language": ('[[outside]]\ncontact = "x"\nname = { "EN!" = "x" }', "must be a text under a language's code"),
}


def test_reads_everything(tmp_path: Path) -> None:
    """Every value of the file arrives in the configuration."""
    (tmp_path / "whistle.toml").write_text(FULL, "utf-8")
    (tmp_path / "guidance").mkdir()
    (tmp_path / "guidance" / "en.md").write_text("## Guide\n\nAsk.", "utf-8")
    config = Config.load(tmp_path)
    assert config.languages == ["en", "ar"]
    assert config.leave == "https://weather.example/"
    assert config.emergency[0].number == "112"
    assert config.questions["fraud"][0].label == {"en": "When?"}
    assert config.outside[0].contact == "https://council.example"
    assert [topic.title for topic in config.guidance["en"]] == ["Guide"] and len(config.guidance["ar"]) > 5
    assert config.plan[0].days == 7 and config.plan[0].done_by == "acknowledgement"
    assert config.rates["lookup"] == Rate("3 per minute", Config(tmp_path).rates["lookup"].all)
    assert config.hosts == ("report.example.org", "[::1]:8080")
    assert config.rates_storage == "redis://127.0.0.1:6379"
    assert (config.bind, config.behind_tor, config.trusted_proxies) == ("127.0.0.1:9000", False, 1)
    assert config.max_upload == 10 * 1024 * 1024
    assert config.chaff == 1.0


def test_what_init_writes_is_what_is_the_default(tmp_path: Path) -> None:
    """A new folder's file reads back as the defaults, with SQLite and blocks inside the folder."""
    setup.make(tmp_path / "server", 'A "quoted" name', "127.0.0.1:1234", 4)
    config = Config.load(tmp_path / "server")
    usual = Config(tmp_path / "server")
    assert config.name == {"en": 'A "quoted" name'}
    assert (config.bind, config.slots) == ("127.0.0.1:1234", 4)
    assert (config.threads, config.max_upload, config.chaff, config.behind_tor, config.leave) == (
        usual.threads,
        4 * 1024**3,
        usual.chaff,
        True,
        usual.leave,
    )
    assert config.database.startswith("sqlite:////")
    assert config.blocks == tmp_path / "server" / "data" / "blocks"
    assert (tmp_path / "server").stat().st_mode & 0o077 == 0


def test_init_changes_nothing_that_is_there(tmp_path: Path) -> None:
    """A second init of the same folder is refused."""
    setup.make(tmp_path)
    before = (tmp_path / "whistle.toml").read_bytes()
    with pytest.raises(StartError, match="already"):
        setup.make(tmp_path, "Another")
    assert (tmp_path / "whistle.toml").read_bytes() == before


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_refuses_and_says_where(tmp_path: Path, text: str, message: str) -> None:
    """A wrong value is refused with its place in the file."""
    name = '\n[name]\nen = "N"\n'
    text = text + name if text.startswith(("colour", "leave")) else name + text
    (tmp_path / "whistle.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refused:
        Config.load(tmp_path)
    assert message in str(refused.value)


def test_refuses_a_missing_or_broken_file(tmp_path: Path) -> None:
    """No file, no TOML and no name are each refused."""
    with pytest.raises(ConfigError, match="there is no"):
        Config.load(tmp_path)
    (tmp_path / "whistle.toml").write_text("name = ", "utf-8")
    with pytest.raises(ConfigError):
        Config.load(tmp_path)
    (tmp_path / "whistle.toml").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="name is missing"):
        Config.load(tmp_path)


def test_a_text_falls_back_to_english_then_to_any() -> None:
    """A language without a text shows the English one, then the first there is, then nothing."""
    assert in_language({"en": "E", "ar": "A"}, "ar") == "A"
    assert in_language({"fr": "F", "en": "E"}, "ar") == "E"
    assert in_language({"fr": "F"}, "ar") == "F"
    assert in_language({}, "ar") == ""


def test_blocks_are_kept_where_the_file_says(tmp_path: Path) -> None:
    """A path is a folder, from the server's own where it is relative; `kind://…` stays as it is written."""
    for written, wanted in (
        ("", tmp_path / "data" / "blocks"),
        ("elsewhere", tmp_path / "elsewhere"),
        ("/srv/blocks", Path("/srv/blocks")),
        ("s3://bucket", "s3://bucket"),
    ):
        assert Config(folder=tmp_path, name={}, blocks_url=written).blocks == wanted
