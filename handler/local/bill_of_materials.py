"""What an artefact holds of other people's work, as CycloneDX: each distribution with its version, licence and dependencies.

uv knows the lock and its graph, the artefact knows what was installed for its architecture and under which licence. Left out
is what would differ from build to build (a serial number, the time, uv's version), and where things were downloaded. What
a wheel itself brings along (libpq and OpenSSL, for example) stands in its own bill: `*.dist-info/sboms`.
"""

import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, distributions
from pathlib import Path
from typing import Any

NAME = "sbom.cdx.json"
# Written in the old field `License`, these are the identifiers of the new one. Other texts are left as they are.
_IDENTIFIERS = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0"})
_CLASSIFIER = "License :: OSI Approved :: "

JsonObject = dict[str, Any]


def bill_of_materials(exported: str, artefact: Path) -> str:
    """The bill's text.

    Args:
        exported: The project's locked dependencies, by `uv export --format cyclonedx1.5`; those for other platforms than
            the artefact's are passed over.
        artefact: The folder into which they were installed.
    """
    bill = json.loads(exported)
    project = bill["metadata"]["component"]
    metadata = {_normalised(found.metadata["Name"]): found.metadata for found in distributions(path=[str(artefact)])}
    locked = {component["name"]: component for component in bill["components"]}
    names = {project["bom-ref"]: f"{project['name']}@{project['version']}"}
    names |= {locked[name]["bom-ref"]: locked[name]["purl"] for name in metadata}
    return json.dumps(
        {
            "bomFormat": bill["bomFormat"],
            "specVersion": bill["specVersion"],
            "version": 1,
            "metadata": {"component": _component(project, names)},
            "components": [
                _component(locked[name], names) | {"purl": locked[name]["purl"], "licenses": _licences(metadata[name])}
                for name in sorted(metadata)
            ],
            "dependencies": sorted(_dependencies(bill["dependencies"], names), key=lambda entry: str(entry["ref"])),
        },
        indent=2,
    )


def _normalised(name: str) -> str:
    """As the index spells it: https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _component(component: JsonObject, names: dict[str, str]) -> JsonObject:
    return {
        "type": component["type"],
        "bom-ref": names[component["bom-ref"]],
        "name": component["name"],
        "version": component["version"],
    }


def _dependencies(entries: list[JsonObject], names: dict[str, str]) -> Iterator[JsonObject]:
    for entry in entries:
        if entry["ref"] in names:
            # The project's extras count as dependencies of the project on itself.
            needed = sorted(names[ref] for ref in entry.get("dependsOn", ()) if ref in names and ref != entry["ref"])
            yield {"ref": names[entry["ref"]], "dependsOn": needed}


def _licences(metadata: PackageMetadata) -> list[JsonObject]:
    """What the distribution says of itself, by the most precise of its ways to say it; nothing if it does not."""
    if (expression := metadata.get("License-Expression")) is not None:
        # SPDX by definition; a single identifier has a form of its own.
        return [{"expression": expression}] if " " in expression else [{"license": {"id": expression}}]
    text = metadata.get("License") or ""
    if text in _IDENTIFIERS:
        return [{"license": {"id": text}}]
    classifiers = [it.removeprefix(_CLASSIFIER) for it in metadata.get_all("Classifier") or () if it.startswith(_CLASSIFIER)]
    return [{"license": {"name": name}} for name in classifiers or text.splitlines()[:1]]
