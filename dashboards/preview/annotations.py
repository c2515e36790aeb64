"""The lines and bands that a widget draws across its chart."""

from dashboards.preview.documents import Content, Document, Json


def horizontal_marks(annotations: Document) -> list[Content]:
    """Values: each a line, or a band between two."""
    return [_horizontal(entry) for entry in annotations.get("horizontal") or ()]


def vertical_marks(annotations: Document) -> list[Content]:
    """Times: each a line, or a band between two."""
    return [_vertical(entry) for entry in annotations.get("vertical") or ()]


def _horizontal(entry: Json) -> Content:
    first, second = (entry[0], entry[1]) if isinstance(entry, list) else (entry, None)
    return {
        "value": float(first["value"]),
        "until": float(second["value"]) if second else None,
        "label": str(first.get("label", "")),
        "color": first.get("color"),
        "fill": first.get("fill"),
        "axis": first.get("yAxis", "left"),
    }


def _vertical(entry: Json) -> Content:
    first, second = (entry[0], entry[1]) if isinstance(entry, list) else (entry, None)
    return {
        "value": first["value"],
        "until": second["value"] if second else None,
        "label": str(first.get("label", "")),
        "color": first.get("color"),
        "fill": first.get("fill"),
    }
