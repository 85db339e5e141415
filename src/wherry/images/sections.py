"""Texts of sections (`[console_scripts]` and lines of `name = value`), as distributions tell of their scripts. Pure."""

import configparser


class _Parser(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr  # scripts' names differ by case


def sections(text: str) -> dict[str, dict[str, str]]:
    """The values of each section. Raises configparser.Error."""
    parser = _Parser(delimiters=("=",), strict=False)
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}
