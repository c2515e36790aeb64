"""The units that CloudWatch accepts (MetricDatum), and how they are written beside a number."""

from itertools import product

_SIZES = tuple(
    f"{prefix}{base}" if not prefix else f"{prefix}{base.lower()}"
    for prefix, base in product(("", "Kilo", "Mega", "Giga", "Tera"), ("Bytes", "Bits"))
)
UNITS = frozenset(
    (
        *("Seconds", "Milliseconds", "Microseconds", "Percent", "Count", "Count/Second", "None"),
        *_SIZES,
        *(f"{size}/Second" for size in _SIZES),
    )
)

_SHORT = {
    "Seconds": "s",
    "Milliseconds": "ms",
    "Microseconds": "µs",
    "Percent": "%",
    "Bytes": "B",
    "Kilobytes": "kB",
    "Megabytes": "MB",
    "Gigabytes": "GB",
    "Count": "",
    "None": "",
}


def short_unit(unit: str) -> str:
    """`Milliseconds` as `ms`; a unit without a usual short form as it is."""
    return _SHORT.get(unit, unit)
