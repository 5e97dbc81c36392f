"""Patterns that read labels of runs from paths and names, as `{arm}/{environment}_{seed}`."""

from __future__ import annotations

import re

from ablation.results.outside.request import ImportRefused


def match(pattern: str, path: str) -> dict[str, str] | None:
    """Return what the named parts of a pattern are in the end of a path; `{}` is any text.

    A seed is digits. None if the path is not like the pattern; names other than `arm`, `environment` and
    `seed` are factors.
    """
    parts = path.split("/")[-(pattern.count("/") + 1) :]
    regex = ""
    for piece in re.split(r"(\{\w*\})", pattern):
        if not re.fullmatch(r"\{\w*\}", piece):
            regex += re.escape(piece)
        elif piece == "{}":
            regex += r"[^/]*"
        else:
            regex += f"(?P<{piece[1:-1]}>{r'[0-9]+' if piece == '{seed}' else '[^/]+'})"
    try:
        found = re.fullmatch(regex, "/".join(parts))
    except re.error:
        raise ImportRefused(f"--pattern {pattern!r}: a name in braces may stand once") from None
    return None if found is None else found.groupdict()
