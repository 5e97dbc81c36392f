"""Near misses: what someone who wrote an unknown name most likely meant."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from difflib import get_close_matches

MOST_ARMS = 6
"""Arms that are named of a study that does not have the one asked for."""


def did_you_mean(given: object, names: Iterable[object]) -> str:
    """Return "did you mean NAME? " for the closest of the known names, nothing if none is close."""
    known = {str(name).lower(): str(name) for name in names}
    close = get_close_matches(str(given).lower(), known, n=1, cutoff=0.7)
    return f"did you mean {known[close[0]]}? " if close else ""


def one_of(
    given: object, names: Collection[object], said: str = "allowed", separator: str = ", "
) -> str:
    """Return "allowed: NAME, NAME", with "did you mean NAME? " before it if a name is close."""
    listed = separator.join(map(str, names)) or "none"
    return f"{did_you_mean(given, names)}{said}: {listed}"


def arms_like(given: object, names: Iterable[str]) -> str:
    """Return "there are: ARM; ARM and 35 more", the likeliest first where there are many."""
    known = list(dict.fromkeys(names))
    close = get_close_matches(str(given), known, n=MOST_ARMS, cutoff=0.4)
    shown = known if len(known) <= MOST_ARMS else list(dict.fromkeys([*close, *known]))[:MOST_ARMS]
    more = f" and {len(known) - len(shown)} more" if len(shown) < len(known) else ""
    return one_of(given, shown, "there are", "; ") + more


def _main() -> None:
    """Print what is wrong with variables that the Makefile does not know: `NAME ... -- KNOWN ...`."""
    words = sys.argv[1:]
    given, known = words[: words.index("--")], words[words.index("--") + 1 :]
    print("; ".join(f"{name}: no such variable; {one_of(name, known)}" for name in given))


if __name__ == "__main__":
    _main()
