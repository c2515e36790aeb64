"""A SAM or CloudFormation template with everything that decides which alarms and dashboards it deploys.

Resources are resolved when they are asked for. Nested stacks (`AWS::CloudFormation::Stack` with a local `TemplateURL`,
`AWS::Serverless::Application` with a local `Location`) are followed with the parameters they are given, as `sam deploy`
packages them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dashboards.preview.documents import Document, Json, PreviewError
from dashboards.preview.intrinsics import NO_VALUE, load_template, resolve
from dashboards.preview.parameters import ParameterValue, resolve_parameters
from dashboards.preview.resource_names import NESTED_STACKS, Account, Identity


@dataclass(frozen=True, slots=True)
class Resource:
    """One deployed resource. `place` tells a reader where it is written."""

    logical_id: str
    type: str
    name: str
    properties: Document
    place: str


@dataclass(frozen=True)
class Stack:
    """One stack of the tree.

    `names` gives resources the physical names they have on the local stage, by logical id; without one, a resource has
    the name in its properties or the one CloudFormation would make up, less the random end.
    """

    name: str
    path: Path
    document: Document
    given: Mapping[str, object]
    account: Account = field(default_factory=Account)
    names: Mapping[str, str] = field(default_factory=dict)
    _loaded: dict[str, "Stack"] = field(default_factory=dict, init=False)

    @classmethod
    def load(
        cls,
        path: Path,
        parameters: Mapping[str, object] | None = None,
        *,
        name: str = "rotation",
        account: Account | None = None,
        names: Mapping[str, str] | None = None,
    ) -> "Stack":
        """Reads a template file.

        Raises:
            PreviewError: If the file is missing, is no template, or a parameter does not fit.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            message = f"cannot read the template {path}: {error.strerror}"
            raise PreviewError(message) from error
        stack = cls(name, path, load_template(text, path.name), parameters or {}, account or Account(), names or {})
        stack.parameters  # noqa: B018 - a wrong parameter is told at once
        return stack

    @cached_property
    def parameters(self) -> dict[str, ParameterValue]:
        return resolve_parameters(self.document.get("Parameters") or {}, self.given, self.path.name)

    def resources(self, *types: str) -> Iterator[Resource]:
        """The deployed resources of these types, of this stack and of those nested in it."""
        for logical_id, declared in self._deployed():
            if declared["Type"] in types:
                yield self._resource(logical_id, declared)
            if declared["Type"] in NESTED_STACKS:
                yield from self._nested(logical_id).resources(*types)

    @cached_property
    def outputs(self) -> dict[str, str]:
        declared = self.document.get("Outputs") or {}
        return {
            name: str(resolve(output["Value"], self))
            for name, output in declared.items()
            if "Condition" not in output or self.condition(output["Condition"])
        }

    def ref(self, name: str) -> Json:
        if name in self.parameters:
            return self.parameters[name]
        pseudo = self.account.pseudo_parameters(self.name)
        return pseudo[name] if name in pseudo else self._identity(name).ref()

    def attribute(self, logical_id: str, attribute: str) -> str:
        if attribute.startswith("Outputs."):
            return self._output(logical_id, attribute.removeprefix("Outputs."))
        return self._identity(logical_id).attribute(attribute)

    def condition(self, name: str) -> bool:
        declared = self.document.get("Conditions") or {}
        if name not in declared:
            message = f"{self.path.name} declares no condition {name}"
            raise PreviewError(message)
        return bool(resolve({"Fn::And": [declared[name]]}, self))

    def mapping(self, name: str, first: str, second: str) -> Json:
        try:
            return self.document["Mappings"][name][first][second]
        except KeyError as error:
            message = f"{self.path.name} has no mapping {name}.{first}.{second}"
            raise PreviewError(message) from error

    def _nested(self, logical_id: str) -> "Stack":
        """Loaded when first asked for: one nested stack's parameters may be another's outputs."""
        if logical_id not in self._loaded:
            declared = dict(self._deployed()).get(logical_id, {})
            if declared.get("Type") not in NESTED_STACKS:
                message = f"{self.path.name}: {logical_id} is not a nested stack"
                raise PreviewError(message)
            self._loaded[logical_id] = self._load_nested(logical_id, declared)
        return self._loaded[logical_id]

    def _load_nested(self, logical_id: str, declared: Document) -> "Stack":
        properties = self._resource(logical_id, declared).properties
        location = properties.get("TemplateURL") or properties.get("Location")
        if not isinstance(location, str) or "://" in location:
            message = f"{self.path.name}: {logical_id} is not a local template, so the preview cannot read it"
            raise PreviewError(message)
        return Stack.load(
            self.path.parent / location,
            properties.get("Parameters") or {},
            name=f"{self.name}-{logical_id}",
            account=self.account,
            names=self.names,
        )

    def _output(self, logical_id: str, name: str) -> str:
        outputs = self._nested(logical_id).outputs
        if name not in outputs:
            message = f"{self.path.name}: the nested stack {logical_id} has no output {name}"
            raise PreviewError(message)
        return outputs[name]

    def _deployed(self) -> Iterator[tuple[str, Document]]:
        for logical_id, declared in (self.document.get("Resources") or {}).items():
            if "Condition" not in declared or self.condition(declared["Condition"]):
                yield logical_id, declared

    def _resource(self, logical_id: str, declared: Document) -> Resource:
        place = f"{self.path.name}: {logical_id}"
        try:
            properties = resolve(declared.get("Properties") or {}, self)
        except PreviewError as error:
            message = f"{place}: {error}"
            raise PreviewError(message) from error
        return Resource(logical_id, declared["Type"], self._identity(logical_id).name, properties, place)

    def _identity(self, logical_id: str) -> Identity:
        declared = (self.document.get("Resources") or {}).get(logical_id)
        if declared is None:
            return self._generated(logical_id)
        if logical_id in self.names:
            return Identity(declared["Type"], self.names[logical_id], self.account)
        written = (declared.get("Properties") or {}).get(Identity.name_property(declared["Type"]) or "")
        name = NO_VALUE if written is None else resolve(written, self)
        return Identity(declared["Type"], f"{self.name}-{logical_id}" if name is NO_VALUE else str(name), self.account)

    def _generated(self, logical_id: str) -> Identity:
        """SAM makes roles, rules and permissions whose ids begin with their function's."""
        for owner, declared in (self.document.get("Resources") or {}).items():
            if declared["Type"] == "AWS::Serverless::Function" and logical_id.startswith(owner):
                return Identity("", f"{self.name}-{logical_id}", self.account)
        message = f"{self.path.name} refers to {logical_id}, which is neither a parameter nor a resource"
        raise PreviewError(message)
