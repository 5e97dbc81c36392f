"""Hooks of MkDocs: a link to a file that is no page becomes the name of the file, checked to exist."""

import re
from pathlib import Path

LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)[^)]*\)")


def on_page_markdown(markdown, page, config, **_):
    """Return a page's text in which links that leave `docs/` are names of files."""
    docs = Path(config.docs_dir)

    def replace(link):
        target = (docs / page.file.src_uri).parent.joinpath(link[2]).resolve()
        if target.is_relative_to(docs):
            return link[0]
        if not target.exists():
            raise FileNotFoundError(f"{page.file.src_uri}: no such file: {link[2]}")
        return f"{link[1]} (`{target.relative_to(docs.parent)}`)"

    return LINK.sub(replace, markdown)
