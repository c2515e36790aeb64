"""What the preview's tests share: a clock, and small templates written to a folder."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from dashboards.preview.template import Stack

type LoadStack = Callable[..., Stack]


@pytest.fixture
def noon() -> datetime:
    return datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def load_stack(tmp_path: Path) -> LoadStack:
    """Writes templates (file name without its ending, and text) and loads the one called `template`."""

    def load(template: str, *, parameters: dict[str, object] | None = None, **files: str) -> Stack:
        for name, text in {"template": template, **files}.items():
            (tmp_path / f"{name}.yaml").write_text(dedent(text), encoding="utf-8")
        return Stack.load(tmp_path / "template.yaml", parameters)

    return load
