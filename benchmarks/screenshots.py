"""Screenshots of a study's page for the docs: on a desk and on a phone, light and dark, as small files.

`python -m benchmarks.screenshots STUDY` needs an installed Chromium (CHROMIUM: its path).
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
WINDOWS = {"desk": (1280, 900), "phone": (390, 844)}
COLORS = 96
"""Colors of a file: enough for text and lines, a quarter of the bytes."""


def main(study: str, results: str = "results") -> None:
    """Write `docs/figures/page-<window>-<scheme>.png` of a study's page."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    page = Path(results).resolve() / "studies" / study / "report" / "index.html"
    if not page.is_file():
        raise SystemExit(f"there is no {page}: `replay-ablation report {study}` writes it")
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for window, (width, height) in WINDOWS.items():
            for scheme in ("light", "dark"):
                shown = opened.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                shown.goto(page.as_uri())
                image = Image.open(io.BytesIO(shown.screenshot()))
                path = FIGURES / f"page-{window}-{scheme}.png"
                image.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE).save(
                    path, optimize=True
                )
                print(path, f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:3])
