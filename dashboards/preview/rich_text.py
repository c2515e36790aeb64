"""Markdown of text widgets and alarm descriptions to HTML. Raw HTML in it is shown, not obeyed."""

import re

from markdown_it import MarkdownIt

_RENDERER = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
_LINK = re.compile(r'<a href="([^"]*)"([^>]*)>(button:(?:primary:)?)?')


def to_html(markdown: str) -> str:
    """Renders markdown; CloudWatch's `[button:Label](url)` becomes a link that looks like a button."""

    def link(match: re.Match[str]) -> str:
        target = "" if match[1].startswith("#") else ' target="_blank" rel="noopener noreferrer"'
        button = ' class="button"' if match[3] else ""
        return f'<a href="{match[1]}"{match[2]}{target}{button}>'

    return _LINK.sub(link, _RENDERER.render(markdown))
