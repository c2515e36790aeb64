"""Every code of a directory has its class, and none of its words is repeated."""

import pytest
from pydantic import SecretStr

from rotation.engines.ldap_connection import Answer
from rotation.engines.ldap_errors import (
    LOGIN_CODES,
    POLICY_CONTROL,
    RESULTS,
    login_error,
    password_error,
    request_error,
)
from rotation.errors import (
    LoginRefusedError,
    PasswordRefusedError,
    PrivilegeMissingError,
    RoleLockedError,
    StatementRejectedError,
    TargetReadOnlyError,
)
from rotation.models import Login

LOGIN = Login("dc1.example.com", 636, None, "app", SecretStr("Sentinel-7f3a"), tls=True, tls_server_name=None)
CONTEXT = "80090308: LdapErr: DSID-0C09030B, comment: AcceptSecurityContext error, data {}, v893"


def answer(code: int, text: str = "the server's own words", control: bytes = b"") -> Answer:
    return Answer(code, text, {POLICY_CONTROL: control}, b"")


@pytest.mark.parametrize("code", LOGIN_CODES)
def test_a_reason_of_active_directory_has_its_class(code: str) -> None:
    error = login_error(answer(49, CONTEXT.format(code)), LOGIN)
    assert type(error) is LOGIN_CODES[code][0]
    assert "DSID" not in str(error)


def test_only_the_words_for_a_wrong_login_count_as_one() -> None:
    assert {code for code, (kind, _) in LOGIN_CODES.items() if kind is LoginRefusedError} == {"525", "52e"}
    assert type(login_error(answer(49, CONTEXT.format("80090346")), LOGIN)) is StatementRejectedError


@pytest.mark.parametrize("code", [49, 32])
def test_a_refusal_without_a_reason_is_a_wrong_login(code: int) -> None:
    assert type(login_error(answer(code), LOGIN)) is LoginRefusedError


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        (b"0\x03\x81\x01\x00", RoleLockedError),
        (b"0\x03\x81\x01\x01", RoleLockedError),
        (b"0\x08\xa0\x03\x80\x01\x05\x81\x01\x01", RoleLockedError),
        (b"0\x05\xa0\x03\x80\x01\x01", LoginRefusedError),  # only a warning
        (b"0\x00", LoginRefusedError),
    ],
)
def test_a_password_policy_tells_a_locked_account_from_a_wrong_password(control: bytes, kind: type[Exception]) -> None:
    assert type(login_error(answer(49, control=control), LOGIN)) is kind


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (50, 3, PrivilegeMissingError),
        (50, 4, PrivilegeMissingError),
        (19, 5, PasswordRefusedError),
        (19, 6, PasswordRefusedError),
        (19, 7, PasswordRefusedError),
        (19, 8, PasswordRefusedError),
    ],
)
def test_a_password_policy_tells_why_it_refuses_a_password(code: int, error: int, kind: type[Exception]) -> None:
    refusal = password_error(answer(code, control=bytes([0x30, 3, 0x81, 1, error])), "modify_password", LOGIN)
    assert type(refusal) is kind


@pytest.mark.parametrize("code", RESULTS)
def test_a_result_code_has_its_class_and_no_words(code: int) -> None:
    error = request_error(answer(code), "modify", LOGIN)
    assert type(error) is RESULTS[code][0]
    assert "own words" not in str(error)


def test_a_domain_controller_that_refers_to_another_is_read_only() -> None:
    assert type(password_error(answer(10), "modify", LOGIN)) is TargetReadOnlyError


def test_a_result_code_that_is_not_known_says_so() -> None:
    assert "code 4711" in request_error(answer(4711), "modify", LOGIN).message
