"""The tree of errors: drawn as it is, one stable reason for each class, and a next step for the operator."""

import re
import textwrap

import pytest

from rotation import errors
from rotation.errors import InternalError, LoginRefusedError, RotationError, error_classes

ALL = list(error_classes())


def drawn(root: type[RotationError]) -> list[str]:
    """The tree below a class in the words of the module's docstring."""

    def branches(parent: type[RotationError], indent: str) -> list[str]:
        lines = []
        children = [child for child in parent.__subclasses__() if child.__module__ == errors.__name__]
        for child in children:
            is_last = child is children[-1]
            stem = f"{indent}{'└' if is_last else '├'}── {child.__name__}"
            reason = vars(child).get("reason")
            lines.append(f"{stem:<35}{reason}" if reason else stem)
            lines += branches(child, indent + ("    " if is_last else "│   "))
        return lines

    return [root.__name__, *branches(root, "")]


def test_the_drawing_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    paragraph = next(part for part in errors.__doc__.split("\n\n") if "RotationError\n" in part)
    assert textwrap.dedent(paragraph).strip("\n").splitlines() == drawn(RotationError)


def test_reasons_are_unique_and_fit_for_a_dimension() -> None:
    reasons = [kind.reason for kind in ALL]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", reason) for reason in reasons)


def test_every_class_that_is_raised_has_a_reason_of_its_own() -> None:
    groups = {"RotationError", "SecretError", "AwsError", "TargetError"}
    in_module = {name for name in vars(errors) if name.endswith("Error")}
    assert {kind.__name__ for kind in ALL} == in_module - groups


@pytest.mark.parametrize("kind", ALL)
def test_every_class_says_what_to_do_next(kind: type[RotationError]) -> None:
    assert "remedy" in vars(kind)
    assert kind.remedy.endswith(".")
    assert kind.__name__.endswith("Error")
    assert str(kind("it happened")) == f"{kind.reason}: it happened. {kind.remedy}"


def test_a_case_may_know_a_better_next_step() -> None:
    error = LoginRefusedError("refused", remedy="Try the other door.")
    assert error.next_action == "Try the other door."
    assert str(error) == "login_refused: refused. Try the other door."


def test_internal_errors_are_a_class_of_their_own() -> None:
    assert InternalError.__bases__ == (RotationError,)


def test_names_cannot_end_the_line_or_change_how_it_reads() -> None:
    error = LoginRefusedError("no user a\nb\u202ec naïve 日本", remedy="GRANT a\r TO b.")
    assert str(error) == "login_refused: no user a\\nb\\u202ec naïve 日本. GRANT a\\r TO b."
