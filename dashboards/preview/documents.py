"""Parsed JSON and YAML, and the one error for a definition that cannot be understood."""

from collections.abc import Mapping
from typing import Any

type Json = Any
"""A parsed JSON or YAML value: what shape it has is known only to who reads it."""

type Document = Mapping[str, Any]
"""A parsed JSON or YAML object."""

type Content = dict[str, Any]
"""A part of what the page is given to show, as JSON."""


class PreviewError(Exception):
    """A definition that CloudFormation or CloudWatch would refuse, or that the preview does not implement.

    The message names the place and the remedy; it is shown to the user as it is.
    """
