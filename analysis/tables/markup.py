"""Text as LaTeX and Markdown show it as written: names and notes are never commands or emphasis."""

from __future__ import annotations

import re

_NAMES = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"""
_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
_GREEK = {letter: f"$\\{name}$" for letter, name in zip(_LETTERS, _NAMES.split(), strict=True)}
_LATEX = (
    {character: f"\\{character}" for character in "%&_#${}"}
    | _GREEK
    | {
        "\\": "\\textbackslash{}",
        "~": "\\textasciitilde{}",
        "^": "\\textasciicircum{}",
        "|": "\\textbar{}",
        # In brackets of their own: after the end of a row, both would be read as its argument.
        "[": "{[}",
        "*": "{*}",
        "<": "$<$",
        ">": "$>$",
        "≥": "$\\geq$",
        "≤": "$\\leq$",
        "✓": "$\\checkmark$",
        "→": "$\\to$",
        "–": "--",
        "—": "---",
        "×": "$\\times$",
        "±": "$\\pm$",
        "·": "$\\cdot$",
        "µ": "$\\mu$",
        "†": "$\\dagger$",
    }
)
_QUOTES = "‘’“”…"
_MARKDOWN = re.compile(r"[\\`*<|$~]|&(?=#?\w+;)|(?<!\w)_|_(?!\w)|(?<=\])\(")


def latex(text: str) -> str:
    """Return a text with LaTeX's special characters escaped and symbols in math mode."""
    # Of dashes in a row LaTeX makes one; what is a dash here is written as such.
    plain = re.sub(r"-(?=-)", "-\0", text.replace("\n", " "))
    escaped = "".join(_LATEX.get(character, character) for character in plain)
    return re.sub(r"(?<![\w.])-(?=[\d.])", "$-$", escaped.replace("\0", "{}"))


def only_lualatex(text: str) -> str:
    """Return the characters of escaped text that pdfLaTeX has no symbol for, each once."""
    return "".join(
        dict.fromkeys(c for c in text if ord(c) > 0x17F and c not in _QUOTES and c not in _LATEX)
    )


def markdown(text: str) -> str:
    """Return a text that Markdown shows as written, HTML and formulas in it included, on one line."""
    return _MARKDOWN.sub(r"\\\g<0>", text.replace("\n", " "))
