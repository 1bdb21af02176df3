"""What the reporter's command says of mistakes, and its help, in the language that was asked for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import whistle
from tests.reporter.device import TEXT, Device, instead
from whistle.cli import reporter_options
from whistle.cli.reporter import reporter as command
from whistle.translations import catalogues

SOURCES = ("reporter", "reporter_options", "prompts", "errors")
# Of the prompts, what no reporter is asked.
OTHERS = {"prompt", "sentence", "languages", "weekdays", "name", "stick", "flush", "check_address"}
SAYING = {"Problem", "ReporterError", "Away", "TooMuch", "Declined", "Lost", "BadServer", "Untrusted", "CannotSave",
          "WrongUsage", "say", "UsageError", "BadParameter"}  # fmt: skip
GIVEN = {"{why}"}  # what another text fills wholly
FRAME = {"Show this message and exit.", "Missing command."}  # click's own
SIX = sorted(catalogues.files(catalogues.COMMAND))


def parsed() -> Iterator[ast.AST]:
    """Each node of the sources that speak to reporters."""
    folder = Path(whistle.__file__).parent
    ours = [*(folder / "cli" / f"{each}.py" for each in SOURCES), folder / "protocol" / "trust" / "manifest.py"]
    for path in [*ours, *sorted((folder / "reporter").glob("*.py"))]:
        for part in ast.parse(path.read_text("utf-8")).body:
            if path.name != "prompts.py" or getattr(part, "name", "") not in OTHERS:
                yield from ast.walk(part)


def is_said(node: ast.AST) -> bool:
    """Whether a call shows its first two arguments to somebody."""
    name = getattr(node, "func", None)
    return isinstance(node, ast.Call) and getattr(name, "id", getattr(name, "attr", "")) in SAYING


def test_every_text_of_the_command_is_in_the_catalogue() -> None:
    """Errors, hints, help and what is asked; and the catalogue has no text that nothing shows."""
    known = {entry.english[0] for entry in catalogues.english(catalogues.COMMAND).values()}
    texts = {node.value for node in parsed() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    arguments = [argument for node in parsed() if is_said(node) for argument in node.args[:2]]
    assert not [ast.unparse(each) for each in arguments if isinstance(each, ast.JoinedStr)]
    said = {each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    commands = [command, *command.commands.values()]
    helps = {text for each in commands for text in reporter_options.paragraphs(each)}
    options = {option.help for each in commands for option in each.params if isinstance(option, click.Option)}
    pairs = {text for pair in reporter_options.REFUSED.values() for text in pair}
    assert len(said) > 60 and sorted((said | helps | options | pairs) - GIVEN - known) == []
    assert sorted(known - texts - helps - FRAME) == []


@pytest.mark.parametrize("language", SIX)
def test_help_is_in_the_language_that_is_asked_for(language: str) -> None:
    """That of the group and of each command, before or behind `--help`."""
    t, runner = catalogues.load(language, catalogues.COMMAND), CliRunner()
    for name, each in [("", command), *command.commands.items()]:
        arguments = [*([name] if name else []), "--help"]
        arguments = [*arguments, "--language", language] if name else ["--language", language, *arguments]
        shown = "".join(runner.invoke(command, arguments).stdout.split())
        options = [option for option in each.params if isinstance(option, click.Option)]
        helps = [*reporter_options.paragraphs(each), *(option.help for option in options)]
        for text in ("Usage:", "Options", "Show this message and exit.", *filter(None, helps)):
            assert "".join(t.text(catalogues.key_of(text, catalogues.COMMAND)).split()) in shown, (name, text)


@pytest.mark.parametrize("language", SIX)
def test_mistakes_are_told_in_the_language_that_is_asked_for(
    device: Device, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """What was mistyped, what is refused, and a server that does not answer as it must."""
    monkeypatch.setenv("LC_ALL", f"{language}_XX.UTF-8")
    t = catalogues.load(language, catalogues.COMMAND)
    device.between = instead({"/api/ready": b""}, 507)
    for key, options, text in [
        ("channel.none", ["--channel", "no-such"], TEXT),
        ("refused.empty", ["--channel", "fraud"], ""),
        ("server.full", ["--channel", "fraud"], TEXT),
        ("usage.no_option", ["--nonsense"], TEXT),
    ]:
        done = device.run("send", *options, text=text)
        error = t.text("frame.error", message=t.text(key, name="--nonsense"))
        assert error in done.stderr and done.exit_code == (2 if key.startswith("usage") else 1)
        assert done.stderr.splitlines()[-1].startswith(t.text("frame.hint", hint=""))


def test_what_was_typed_too_much_is_not_repeated() -> None:
    """Whoever gives the twelve words as arguments does not find them in an error too, nor in a log of errors."""
    done = CliRunner().invoke(command, ["replies", "--server", "https://whistle.example", "abandon", "ability"])
    assert done.exit_code == 2 and "more was given than this command takes" in done.stderr
    assert "abandon" not in done.output
