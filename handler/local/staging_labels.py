"""Versions of a secret and the staging labels that move between them, by AWS's rules."""

import time
from typing import Any

from moto.secretsmanager.exceptions import InvalidParameterException

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
VALUE_FIELDS = {"SecretString": "secret_string", "SecretBinary": "secret_binary"}

# moto keeps a version as a dictionary, and a secret's versions by their ids.
Version = dict[str, Any]
Versions = dict[str, Version]


def empty_version(version_id: str) -> Version:
    """Return a version without value and labels."""
    return {"createdate": round(time.time(), 3), "version_id": version_id, "version_stages": []}


def value_of(version: Version) -> dict[str, str]:
    """Return what a version holds by moto's field names; nothing if it has no value yet."""
    return {key: version[key] for key in VALUE_FIELDS.values() if key in version}


def version_with(versions: Versions, label: str) -> Version | None:
    """Return the version that a label is attached to."""
    return next((version for version in versions.values() if label in version["version_stages"]), None)


def version_under_way(versions: Versions) -> Version | None:
    """Return the version of a rotation that has not come to its end: AWSPENDING, but not AWSCURRENT."""
    pending = version_with(versions, PENDING)
    return None if pending is None or CURRENT in pending["version_stages"] else pending


def attach(versions: Versions, label: str, version_id: str) -> None:
    """Attach a label, taking it from wherever it is; AWSPREVIOUS follows AWSCURRENT by itself."""
    target, holder = versions[version_id], version_with(versions, label)
    if holder is target:
        return
    if holder is not None:
        holder["version_stages"].remove(label)
    target["version_stages"].append(label)
    if label == CURRENT:
        if PREVIOUS in target["version_stages"]:
            target["version_stages"].remove(PREVIOUS)
        if holder is not None:
            attach(versions, PREVIOUS, holder["version_id"])


def check_move(versions: Versions, label: str, *, remove_from: str | None, move_to: str | None) -> None:
    """Refuse, before anything is changed, to take a label from a version that the caller did not name."""
    holder = version_with(versions, label)
    held_by = holder["version_id"] if holder else None
    if label == CURRENT and not move_to:
        raise InvalidParameterException(
            "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed."
        )
    if not remove_from and not move_to:
        raise InvalidParameterException("You must provide RemoveFromVersionId, MoveToVersionId or both.")
    if remove_from and remove_from != held_by:
        raise InvalidParameterException(f"The staging label {label} is not attached to version {remove_from}.")
    if held_by and not remove_from and held_by != move_to:
        raise InvalidParameterException(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to "
            f"version {held_by}, so you must explicitly reference that version in RemoveFromVersionId."
        )
