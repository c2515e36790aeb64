"""The bill of materials tells what is there, under which licence, and nothing that differs from build to build."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.bill_of_materials import bill_of_materials

ADDRESS = "https://files.example.com/a.whl"


def exported(*names: str, root_needs: tuple[str, ...] = ()) -> str:
    """What uv exports: one component for each name."""
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "serialNumber": "urn:uuid:3c1e3146-f042-427a-89c9-2b0203c793ac",
            "metadata": {
                "timestamp": "2026-01-01T00:00:00Z",
                "tools": [{"vendor": "somebody", "name": "uv", "version": "1"}],
                "component": {"type": "library", "bom-ref": "project-1@1", "name": "project", "version": "1"},
            },
            "components": [
                {
                    "type": "library",
                    "bom-ref": f"{name}-{number}@1",
                    "name": name,
                    "version": "1",
                    "purl": f"pkg:pypi/{name}@1",
                    "externalReferences": [{"type": "distribution", "url": ADDRESS}],
                }
                for number, name in enumerate(names, start=2)
            ],
            "dependencies": [
                {"ref": "project-1@1", "dependsOn": ["project-1@1", *(f"{n}-{names.index(n) + 2}@1" for n in root_needs)]},
                *({"ref": f"{name}-{number}@1"} for number, name in enumerate(names, start=2)),
            ],
        }
    )


def install(artefact: Path, name: str, *lines: str) -> None:
    folder = artefact / f"{name.replace('-', '_')}-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines, ""]))


def licences(artefact: Path, *lines: str) -> list[dict[str, Any]]:
    install(artefact, "a", *lines)
    found: list[dict[str, Any]] = json.loads(bill_of_materials(exported("a"), artefact))["components"][0]["licenses"]
    return found


def test_what_is_installed_is_listed_under_the_name_of_the_index(tmp_path: Path) -> None:
    install(tmp_path, "Typing_Extensions")
    bill = json.loads(bill_of_materials(exported("for-windows", "typing-extensions", root_needs=("for-windows",)), tmp_path))
    assert [component["purl"] for component in bill["components"]] == ["pkg:pypi/typing-extensions@1"]
    assert bill["dependencies"] == [
        {"ref": "pkg:pypi/typing-extensions@1", "dependsOn": []},
        {"ref": "project@1", "dependsOn": []},
    ]


def test_nothing_in_it_differs_from_build_to_build_or_tells_where_it_came_from(tmp_path: Path) -> None:
    # So many that no file system lists them in order by chance.
    names = tuple("fbhdgaceji")
    for name in names:
        install(tmp_path, name)
    text = bill_of_materials(exported(*names, root_needs=names), tmp_path)
    in_order = tuple(sorted(names))
    assert text == bill_of_materials(exported(*in_order, root_needs=in_order), tmp_path)
    assert tuple(component["name"] for component in json.loads(text)["components"]) == in_order
    assert not [word for word in ("urn:uuid", "timestamp", "tools", "example.com") if word in text]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT", "License: something else"], [{"license": {"id": "MIT"}}]),
        (["License-Expression: MIT OR Apache-2.0"], [{"expression": "MIT OR Apache-2.0"}]),
        (["License: MIT", "Classifier: License :: OSI Approved :: MIT License"], [{"license": {"id": "MIT"}}]),
        (
            ["License: Dual License", *(f"Classifier: License :: OSI Approved :: {name}" for name in ("One", "Other"))],
            [{"license": {"name": "One"}}, {"license": {"name": "Other"}}],
        ),
        (["License: Own words", "        over two lines"], [{"license": {"name": "Own words"}}]),
        (["Classifier: Programming Language :: Python"], []),
    ],
)
def test_a_licence_is_told_as_precisely_as_the_distribution_does(
    tmp_path: Path, lines: list[str], expected: list[dict[str, Any]]
) -> None:
    assert licences(tmp_path, *lines) == expected
