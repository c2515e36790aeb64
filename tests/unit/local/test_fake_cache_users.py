from typing import Any

import pytest

from local.aws import AwsStage
from local.aws_server import Call
from local.fake_cache_users import SERVICES, FakeUser, Service

ONE, TWO, THREE = "one-password-of-a-user", "two-passwords-of-a-user", "three-passwords-of-a-user"


class Client:
    """The same words for both services."""

    def __init__(self, stage: AwsStage, service: Service) -> None:
        self.service = service
        self._client: Any = stage.client(service)
        self.codes = self._client.exceptions

    def describe(self, key: str) -> dict[str, Any]:
        name = "UserId" if self.service == "elasticache" else "UserName"
        (user,) = self._client.describe_users(**{name: key})["Users"]
        found: dict[str, Any] = user
        return found

    def change(self, key: str, *passwords: str) -> Any:
        if self.service == "elasticache":
            return self._client.modify_user(UserId=key, Passwords=passwords)
        return self._client.update_user(UserName=key, AuthenticationMode={"Type": "password", "Passwords": passwords})


@pytest.fixture(params=SERVICES)
def client(request: pytest.FixtureRequest, stage: AwsStage) -> Client:
    return Client(stage, request.param)


@pytest.fixture
def brought(client: Client, stage: AwsStage) -> list[list[str]]:
    """What a cache was brought."""
    passwords: list[list[str]] = []

    def bring(user: FakeUser) -> None:
        passwords.append(user.passwords)

    with stage.cache_users(client.service) as users:
        users.bring = bring
        users.create("ann", "ann", ONE)
    return passwords


def test_a_change_reaches_the_caches_once_it_was_looked_at_often_enough(
    client: Client, stage: AwsStage, brought: list[list[str]]
) -> None:
    with stage.cache_users(client.service) as users:
        users.slowness = 2
    client.change("ann", ONE, TWO)
    assert [client.describe("ann")["Status"] for _ in range(3)] == ["modifying", "modifying", "active"]
    assert brought == [[ONE], [ONE, TWO]]
    assert client.describe("ann")["Authentication"] == {"Type": "password", "PasswordCount": 2}


def test_a_user_that_is_being_changed_takes_no_change(client: Client, stage: AwsStage, brought: list[list[str]]) -> None:
    with stage.cache_users(client.service) as users:
        users.slowness = 1
    client.change("ann", TWO)
    with pytest.raises(client.codes.InvalidUserStateFault):
        client.change("ann", THREE)
    client.describe("ann")
    assert brought == [[ONE], [TWO]]


@pytest.mark.parametrize(
    "password", ["short", "a" * 129, ONE + ",", ONE + '"', ONE + "/", ONE + "@", ONE + " ", ONE + "\x7f"]
)
def test_passwords_against_the_rules_are_refused_and_quoted(client: Client, password: str, brought: list[list[str]]) -> None:
    with pytest.raises(client.codes.InvalidParameterValueException) as caught:
        client.change("ann", password)
    assert repr(password) in str(caught.value)
    assert brought == [[ONE]]


@pytest.mark.parametrize("passwords", [(ONE, TWO, THREE), (ONE, ONE)])
def test_a_user_has_one_or_two_passwords(client: Client, passwords: tuple[str, ...], brought: list[list[str]]) -> None:
    with pytest.raises(client.codes.InvalidParameterCombinationException):
        client.change("ann", *passwords)
    assert brought == [[ONE]]


def test_an_unknown_user_is_told_by_its_code(client: Client, stage: AwsStage) -> None:
    with pytest.raises(client.codes.UserNotFoundFault):
        client.describe("ben")
    code = "UserNotFound" if client.service == "elasticache" else "UserNotFoundFault"
    assert stage.calls == [Call(client.service, "DescribeUsers", code, "ben")]


@pytest.mark.parametrize("service", SERVICES)
def test_a_new_stage_knows_no_users(service: Service) -> None:
    for _ in range(2):
        with AwsStage() as stage, stage.cache_users(service) as users:
            assert users.users == {}
            users.create("ann", "ann", ONE)
