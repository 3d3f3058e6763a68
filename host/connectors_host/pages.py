"""HTML for people: rendered from templates, in their language, without a script."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from .languages import choose, localised, preferred
from .origins import authority
from .texts import PAGES

STATIC = Path(__file__).parent / "static"


def templates_of(package: str) -> Environment:
    """The templates of a package: they escape whatever they show, and fail where a name is not given."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Pages:
    """Renders the templates of this package. ``base_url`` gives the site its name."""

    def __init__(self, base_url: str) -> None:
        self._site = authority(base_url)[0]
        self._templates = templates_of(__package__)
        self._style = f"/static/host.css?v={_digest(STATIC / 'host.css')}"

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Render ``template`` in the language that the browser asks for."""
        language = language_of(request)
        texts = PAGES[language]

        def text(key: str, /, **values: str) -> str:
            return texts[key].format_map(values)

        html = self._templates.get_template(template).render(
            language=language, text=text, style=self._style, site=self._site, **context
        )
        return HTMLResponse(
            html,
            status_code=status,
            headers={
                "Content-Language": language,
                "Vary": "Accept, Accept-Language, Cookie",
                **(headers or {}),
            },
        )


def language_of(request: Request) -> str:
    """The language of pages for that browser."""
    return choose(preferred(request.headers.get("accept-language", "")), tuple(PAGES))


def name_in(request: Request, names: Mapping[str, str], fallback: str) -> str:
    """A localised name for that browser."""
    return localised(names, preferred(request.headers.get("accept-language", ""))) or fallback


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
