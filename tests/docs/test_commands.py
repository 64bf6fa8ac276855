"""Every command line in the documents can be typed: the command exists, and so do its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tests.docs.pages import ROOT, Page, page, pages
from yingqiao.cli import main

SHELL = ("bash", "sh", "")


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(leaves(main))


def options_of(command: click.Command) -> set[str]:
    named = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    return {name for name in named if name.startswith("-")} | {"-h", "--help"}


def command_lines(text: str) -> Iterator[str]:
    """What follows each `yingqiao` that is typed as a command, continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|;|\||\s·\s", line.split(" #")[0]):
            found = re.match(r"\s*(?:\S*/)?yingqiao(\s.+)$", part)
            if found:
                yield found[1].strip()


def check(line: str, where: str) -> None:
    """Fails unless the words lead to a command that has all the options."""
    words = re.sub(r"[\[\]]", " ", line).split()
    command: click.Command = main
    while words and isinstance(command, click.Group):
        if words[0].startswith("-"):
            break
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"{where}: `yingqiao {line}`: no command {words[0]}"
        command, words = found, words[1:]
    known = options_of(command) | ({"--version"} if command is main else set())
    for option in re.findall(r"(?:^|(?<=[\s|]))--?[a-z][a-z0-9-]*", " ".join(words)):
        assert option in known, f"{where}: `yingqiao {line}`: no option {option}"


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_commands_exist(page: Page):
    for code in page.inline:
        if re.match(r"(\.venv/bin/)?yingqiao ", code):
            check(re.sub(r"^\S+ ", "", code), page.name)
    for block in page.blocks:
        if block.language in SHELL:
            for line in command_lines(re.sub(r"\n\s+(?=\[)", " ", block.text)):
                check(line, page.name)


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_commands_to_be_typed_can_be_parsed(page: Page):
    """Lines of `bash` blocks, arguments and all."""
    for block in page.blocks:
        if block.language != "bash":
            continue
        for line in command_lines(block.text):
            words = shlex.split(re.sub(r"\s\d?>.*$|\s&$", "", line))
            parse(main, words)


def parse(command: click.Command, words: list[str]) -> None:
    """As click would before running it. Raises click.UsageError."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None
        command, words = found, words[1:]
    if words != ["--version"]:
        command.make_context("yingqiao", list(words))


CLI = page("docs/reference/cli.md")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_reference_has_every_command_and_option(words: tuple[str, ...]):
    section = CLI.section(words[0])
    assert re.search(
        rf"`(yingqiao )?{' '.join(words)}\b|^yingqiao {' '.join(words)}\b", section, re.MULTILINE
    )
    common = {"--data", "--database", "--config", "--json", "--csv", "--limit", "--offset", "-h", "--help"}
    for option in options_of(COMMANDS[words]) - (set() if words == ("serve",) else common) - {"-h", "--help"}:
        assert re.search(rf"{option}(?![\w-])", section), f"cli.md: {' '.join(words)} {option}"


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_make_targets_exist(page: Page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = page.inline + [line for block in page.blocks for line in block.text.splitlines()]
    for line in code:
        if found := re.match(r"make ([a-z-]+)", line):
            assert found[1] in targets, f"{page.name}: make {found[1]}"


def test_the_readme_begins_with_the_two_commands():
    first = page("README.md").blocks[0].text
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["demo", "test"]
