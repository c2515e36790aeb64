"""The page: one HTML file that needs nothing else, neither at rest nor from a network."""

import json
import secrets
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template

import plotly.offline

from dashboards.preview.documents import Content


def render_page(model: Content, *, live: Content | None = None) -> str:
    """Puts the model into the page.

    Args:
        model: What to show, from `Watch.page`.
        live: For a page that is served: where it finds news, and what it may switch.
    """
    # Only scripts with this nonce run, so nothing that came in with the data can.
    nonce = secrets.token_urlsafe(16)
    return Template(_asset("page.html")).substitute(
        title=_escape(str(model["title"])),
        nonce=nonce,
        connect="'self'" if live else "'none'",
        style=_asset("page.css"),
        plotly=_plotly(),
        data=_json({"model": model, "live": live}),
        script=_asset("charts.js") + _asset("page.js"),
    )


def write_page(model: Content, path: Path) -> None:
    """Writes a page that can be opened from disk or sent to somebody."""
    path.write_text(render_page(model), encoding="utf-8")


def _json(value: Content) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


@cache
def _asset(name: str) -> str:
    return (resources.files("dashboards.preview") / "assets" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    return str(plotly.offline.get_plotlyjs())
