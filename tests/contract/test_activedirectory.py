"""A domain controller of Samba keeps the contract. All of it is one module, because each process has a domain of its own.

Of the suite on TLS one server is held to what the client decides, which is all that it shares with `ldap`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from local.aws import AwsStage
from local.aws_faults import Disturbance
from local.certificate_authority import CertificateAuthority
from local.contract import Logins, OneUser, Passwords, Policies, Sessions, Setup, Strategies
from local.contract.rotating import (
    SecretInRotation,
    clients,
    engine_of,
    fitting_password,
    log_in,
    new_name,
    new_password,
    password_of,
    refused,
    refused_login,
)
from local.contract.strategies import ONE_USER, accepted
from local.fake_directories import FakeDirectory
from local.samba import SambaServer
from local.server_process import ServerError, TlsFiles
from local.targets.activedirectory import SambaTarget, dn_of
from rotation.engines.activedirectory import ActiveDirectoryEngine
from rotation.errors import (
    AwsRejectedError,
    CredentialUnknownError,
    HostRefusedError,
    LoginRefusedError,
    PasswordRefusedError,
    RoleLockedError,
    RotationError,
    SecretMalformedError,
    TargetMismatchError,
    TargetNotReadyError,
    TlsFailedError,
)
from rotation.models import CURRENT, SecretDocument
from rotation.protocols import Session
from rotation.strategies.change import Strategy
from rotation.strategies.single_user import SingleUser, SingleUserBySuperuser
from tests.functional.search import Search
from tests.functional.world import World
from tests.stack import WholeStack, as_list, may, role_statements

SETUPS = [Setup("activedirectory", SambaTarget, with_tls=True)]
# A short name has none of "/\[]:;|=,+*?<>, which is the server's own rule, and @ makes it another kind of name.
NAMES = {
    "quote": "o'brien",
    "spaces": "app u",
    "capitals": "AppUser",
    "non-ascii": "größe",
    "percent and braces": "1%s{a}$1",
    "filter": "a(&(b))",
    "comment": "#a--",
}
REFUSALS: dict[str, tuple[dict[str, str | bytes], type[RotationError], str]] = {
    "disabled": ({"userAccountControl": "514"}, RoleLockedError, "disabled"),
    "expired": ({"accountExpires": "130000000000000000"}, RoleLockedError, "the account has expired"),
    "must change": ({"pwdLastSet": "0"}, RoleLockedError, "only after a change of password"),
    "hours": ({"logonHours": bytes(21)}, RoleLockedError, "at this hour"),
    "workstation": ({"userWorkstations": "NOWHERE"}, HostRefusedError, "from here"),
}

DIRECTORY_ID = "d-0123456789"
API_ERRORS: dict[str, type[RotationError]] = {
    "InvalidPasswordException": PasswordRefusedError,
    "UserDoesNotExistException": TargetMismatchError,
    "DirectoryUnavailableException": TargetNotReadyError,
    "EntityDoesNotExistException": AwsRejectedError,
}
FORMS = ("{0}@example.test", "{0}@EXAMPLE.TEST", "EXAMPLE\\{0}", "CN={0},CN=Users,DC=example,DC=test")


class TestLogins(Logins):
    @pytest.mark.parametrize("reason", REFUSALS)
    def test_an_account_that_may_not_log_in_is_told_from_a_wrong_password(
        self, secret: SecretDocument, target: SambaTarget, ca_bundle: str, reason: str
    ) -> None:
        attributes, kind, what = REFUSALS[reason]
        target.change(dn_of(secret.fields.username), **attributes)
        assert what in refused_login(kind, secret, ca_bundle=ca_bundle).message
        refused_login(LoginRefusedError, secret.changed(password=new_password()), ca_bundle=ca_bundle)

    def test_an_account_that_is_locked_for_refused_logins(
        self, secret: SecretDocument, target: SambaTarget, ca_bundle: str
    ) -> None:
        with target.changed(SambaServer.base, lockoutThreshold="2"):
            for _ in range(3):
                target.refusal(secret.fields.username, "wrong")
            refusal = refused_login(RoleLockedError, secret, ca_bundle=ca_bundle)
        assert "has locked the account" in refusal.message

    def test_plaintext_is_not_spoken(self, secret: SecretDocument) -> None:
        refusal = refused_login(SecretMalformedError, secret.changed(ssl="false"))
        assert "TLS only" in refusal.message

    def test_a_secret_has_to_lead_somewhere(self, secret: SecretDocument, ca_bundle: str) -> None:
        refusal = refused_login(SecretMalformedError, secret.changed(host=None), ca_bundle=ca_bundle)
        assert "directoryId" in refusal.message

    def test_an_unknown_authority_is_refused(self, secret: SecretDocument, tmp_path: Path) -> None:
        stranger = CertificateAuthority(tmp_path, "Another Authority")
        refused_login(TlsFailedError, secret, ca_bundle=str(stranger.certificate))

    def test_another_name_than_the_certificates_is_refused(self, secret: SecretDocument, ca_bundle: str) -> None:
        refusal = refused_login(TlsFailedError, secret.changed(tls_server_name="dc1.example.test"), ca_bundle=ca_bundle)
        assert "mismatch" in refusal.message.lower()


class TestSessions(Sessions): ...


class TestPasswords(Passwords): ...


class TestPolicies(Policies):
    def test_a_password_that_is_too_young_to_change_is_told_with_what_to_do(
        self, secret: SecretDocument, superuser: SecretDocument, target: SambaTarget, ca_bundle: str
    ) -> None:
        with (
            target.changed(SambaServer.base, minPwdAge="-864000000000"),
            refused(PasswordRefusedError) as refusal,
            log_in(secret, ca_bundle=ca_bundle) as session,
        ):
            session.set_password(secret.fields.username, SecretStr("Another-password-1"))
        assert "least age" in str(refusal.error)

    def test_the_superuser_is_above_the_least_age(
        self, secret: SecretDocument, superuser: SecretDocument, target: SambaTarget, ca_bundle: str
    ) -> None:
        rotation = SecretInRotation(SingleUserBySuperuser(), secret, superuser, ca_bundle)
        with target.changed(SambaServer.base, minPwdAge="-864000000000"):
            for _ in range(2):
                assert accepted(target, rotation.rotate())

    def test_a_password_that_is_not_complex_is_refused(
        self, secret: SecretDocument, target: SambaTarget, ca_bundle: str
    ) -> None:
        with (
            target.changed(SambaServer.base, pwdProperties="1"),
            refused(PasswordRefusedError),
            log_in(secret, ca_bundle=ca_bundle) as session,
        ):
            session.set_password(secret.fields.username, SecretStr("small letters alone"))

    def test_one_of_the_last_passwords_is_refused(
        self, secret: SecretDocument, superuser: SecretDocument, ca_bundle: str
    ) -> None:
        rotation = SecretInRotation(SingleUser(), secret, superuser, ca_bundle)
        rotation.rotate()
        with (
            refused(PasswordRefusedError, password_of(secret)),
            log_in(rotation.current, ca_bundle=ca_bundle) as session,
        ):
            session.set_password(secret.fields.username, secret.fields.password)


class TestStrategies(Strategies):
    strategies = ONE_USER
    hard_names = NAMES


class TestOneUser(OneUser): ...


class TestNames:
    """Whatever name is given, it is the account of that name whose password is set, or nobody's."""

    setups = SETUPS

    @pytest.fixture(params=ONE_USER, ids=lambda strategy: strategy.name.value)
    def rotation(
        self, request: pytest.FixtureRequest, secret: SecretDocument, superuser: SecretDocument, ca_bundle: str
    ) -> SecretInRotation:
        return SecretInRotation(request.param, secret, superuser, ca_bundle)

    @pytest.mark.parametrize(
        "form", ["{0}@example.test", "{0}@EXAMPLE.TEST", "EXAMPLE\\{0}", "CN={0},CN=Users,DC=example,DC=test"]
    )
    def test_every_form_of_a_name_is_taken(self, rotation: SecretInRotation, target: SambaTarget, form: str) -> None:
        name = rotation.current.fields.username
        rotation.current = rotation.current.changed(username=form.format(name))
        for _ in range(2):
            rotation.rotate()
            assert target.refusal(name, password_of(rotation.current)) is None

    def test_a_principal_name_of_its_own_is_taken(self, rotation: SecretInRotation, target: SambaTarget) -> None:
        name, password = new_name(), new_password()
        principal = f"{new_name('(*)')}@elsewhere.test"
        target.create_user(name, password, userPrincipalName=principal)
        rotation.current = rotation.current.changed(username=principal, password=password)
        for _ in range(2):
            rotation.rotate()
            assert target.refusal(name, password_of(rotation.current)) is None

    def test_a_name_that_is_somebodys_display_name_is_not_taken(
        self, rotation: SecretInRotation, target: SambaTarget
    ) -> None:
        shown, password = new_name("shown"), new_password()
        target.create_user(new_name(), password, displayName=shown)
        rotation.current = rotation.current.changed(username=shown, password=password)
        refused_login(LoginRefusedError, rotation.current, ca_bundle=rotation.ca_bundle)


class TestOldPasswords:
    """A domain lets users in with the password before the last for an hour, unless it is told not to."""

    @pytest.fixture
    def lenient(self, target: SambaTarget) -> Iterator[SambaTarget]:
        self._restart(target, "60")
        yield target
        self._restart(target, "0")

    def _restart(self, target: SambaTarget, minutes: str) -> None:
        target.server.options["old password allowed period"] = minutes
        target.stop()
        target.start()

    def test_setting_twice_ends_well_although_the_old_password_still_opens(
        self, secret: SecretDocument, superuser: SecretDocument, lenient: SambaTarget, ca_bundle: str
    ) -> None:
        for strategy in ONE_USER:
            rotation = SecretInRotation(strategy, secret, superuser, ca_bundle)
            rotation.create()
            assert rotation.set() == CURRENT
            assert accepted(lenient, secret), "the domain is not lenient"
            assert rotation.set() == CURRENT
            secret = rotation.test_and_finish()

    def test_a_password_that_somebody_else_has_replaced_is_refused(
        self, secret: SecretDocument, superuser: SecretDocument, lenient: SambaTarget, ca_bundle: str
    ) -> None:
        others = fitting_password(engine_of(secret).traits)
        with log_in(secret, ca_bundle=ca_bundle) as session:
            session.set_password(secret.fields.username, others)
        assert accepted(lenient, secret), "the domain is not lenient"
        rotation = SecretInRotation(SingleUser(), secret, superuser, ca_bundle)
        rotation.create()
        with refused(CredentialUnknownError, password_of(rotation.pending)) as refusal:
            rotation.set()
        assert "replaced a short time ago" in refusal.message
        assert lenient.refusal(secret.fields.username, others.get_secret_value()) is None


@pytest.fixture
def keyless(secret: SecretDocument) -> SecretDocument:
    """As AWS's console stores it for seamless domain join, and the name in the certificate."""
    keys = {
        "awsSeamlessDomainDirectoryId": DIRECTORY_ID,
        "awsSeamlessDomainUsername": secret.fields.username,
        "awsSeamlessDomainPassword": password_of(secret),
    }
    return SecretDocument.parse(json.dumps({**keys, "tls_server_name": "localhost"}), "test's")


def directory_at(target: SambaTarget) -> FakeDirectory:
    """A directory whose only domain controller is the target."""

    def reset(name: str, password: str) -> None:
        target.change(dn_of(name), unicodePwd=f'"{password}"'.encode("utf-16-le"))

    return FakeDirectory(SambaServer.domain, [target.server.host], reset)


def asked(stage: AwsStage) -> list[str]:
    return [call.operation for call in stage.calls if call.service == "ds"]


class TestDirectoryService:
    """Secrets that name a directory of AWS and no host: AWS's API is a fake, the domain controller is real."""

    @pytest.fixture
    def service(self, target: SambaTarget, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStage]:
        with AwsStage(account_id="200000000013") as stage:
            with stage.directories() as directories:
                directories.by_id[DIRECTORY_ID] = directory_at(target)
            monkeypatch.setitem(clients, "ds", stage.client("ds"))
            yield stage

    @contextmanager
    def _session(self, secret: SecretDocument, service: AwsStage, ca_bundle: str) -> Iterator[Session]:
        with log_in(secret, ca_bundle=ca_bundle) as session:
            yield session

    def test_a_password_is_set_by_the_api_and_proved_at_the_domain_controller(
        self, keyless: SecretDocument, service: AwsStage, target: SambaTarget, ca_bundle: str
    ) -> None:
        user, new = keyless.fields.username, fitting_password(ActiveDirectoryEngine.traits)
        with (
            target.changed(SambaServer.base, minPwdAge="-864000000000"),
            self._session(keyless, service, ca_bundle) as session,
        ):
            session.set_password(user, new)
        assert asked(service) == ["DescribeDirectories", "ResetUserPassword"]
        changed = keyless.changed(password=new.get_secret_value())
        assert "awsSeamlessDomainPassword" in changed.to_json()
        with self._session(changed, service, ca_bundle) as session:
            session.check()
        assert target.refusal(user, password_of(keyless)) is not None

    def test_it_calls_all_that_the_role_allows_and_nothing_else(
        self, keyless: SecretDocument, service: AwsStage, ca_bundle: str
    ) -> None:
        with self._session(keyless, service, ca_bundle) as session:
            session.set_password(keyless.fields.username, fitting_password(ActiveDirectoryEngine.traits))
        directory = f"arn:aws:ds:eu-central-1:123456789012:directory/{DIRECTORY_ID}"
        stack = WholeStack(DirectoryArns=directory)
        allowed = {each for statement in role_statements(stack) for each in as_list(statement["Action"])}
        assert {f"ds:{operation}" for operation in asked(service)} == {each for each in allowed if each.startswith("ds:")}
        assert may(stack, "ds:ResetUserPassword", directory)
        assert not may(stack, "ds:ResetUserPassword", directory.replace("d-0", "d-1"))

    def test_the_api_is_not_asked_before_the_login_is_proved(
        self, keyless: SecretDocument, service: AwsStage, ca_bundle: str
    ) -> None:
        wrong = keyless.changed(password=new_password())
        with refused(LoginRefusedError, password_of(wrong)), self._session(wrong, service, ca_bundle):
            pytest.fail("the login was accepted")
        assert asked(service) == ["DescribeDirectories"]

    def test_the_api_gets_the_short_name_of_the_account_that_logged_in(
        self, keyless: SecretDocument, service: AwsStage, target: SambaTarget, ca_bundle: str
    ) -> None:
        short, new = keyless.fields.username, fitting_password(ActiveDirectoryEngine.traits)
        principal = keyless.changed(username=f"{short}@{SambaServer.domain}")
        with self._session(principal, service, ca_bundle) as session:
            session.set_password(principal.fields.username, new)
        assert target.refusal(short, new.get_secret_value()) is None

    def test_what_the_api_refuses_is_told_by_its_code(
        self,
        keyless: SecretDocument,
        service: AwsStage,
        target: SambaTarget,
        ca_bundle: str,
    ) -> None:
        new = fitting_password(ActiveDirectoryEngine.traits)
        for code, kind in API_ERRORS.items():
            service.fail("ds", "ResetUserPassword", code=code, message=new.get_secret_value())
            with refused(kind, new.get_secret_value()), self._session(keyless, service, ca_bundle) as session:
                session.set_password(keyless.fields.username, new)
        assert target.refusal(keyless.fields.username, password_of(keyless)) is None

    def test_a_directory_without_domain_controllers_is_not_ready(
        self, keyless: SecretDocument, service: AwsStage, ca_bundle: str
    ) -> None:
        with service.directories() as directories:
            directories.by_id[DIRECTORY_ID] = replace(directories.by_id[DIRECTORY_ID], addresses=())
        with refused(TargetNotReadyError), self._session(keyless, service, ca_bundle):
            pytest.fail("the login was accepted")

    def test_an_unknown_directory_is_told_by_its_code(
        self, keyless: SecretDocument, service: AwsStage, ca_bundle: str
    ) -> None:
        unknown = keyless.changed(directoryId="d-9999999999")
        with refused(AwsRejectedError) as refusal, self._session(unknown, service, ca_bundle):
            pytest.fail("the login was accepted")
        assert "EntityDoesNotExistException" in refusal.message


class TestDeployed:
    """The demo shows no Active Directory, because it speaks plaintext."""

    @pytest.mark.parametrize("strategy", ONE_USER, ids=lambda strategy: strategy.name.value)
    def test_whole_rotations_through_the_deployed_entry_point(  # noqa: PLR0917 - fixtures
        self,
        world: World,
        secret: SecretDocument,
        superuser: SecretDocument,
        target: SambaTarget,
        ca_bundle: str,
        strategy: Strategy,
    ) -> None:
        master = world.store(superuser.to_json())
        arn = world.store(secret.changed(masterarn=master).to_json(), tag=strategy.name.value)
        with world.deployed(environment={"TLS_CA_BUNDLE": ca_bundle}) as function:
            for _ in range(2):
                before = world.value(arn)
                seen = function.rotate(arn)
                after = world.value(arn)
                assert target.refusal(after["username"], after["password"]) is None
                assert target.refusal(before["username"], before["password"]) is not None
        lines = [each.line for each in seen.values()]
        assert {line["engine"] for line in lines} == {"activedirectory"}
        assert {line["strategy"] for line in lines} == {strategy.name.value}
        assert lines[-1]["credential_gap_ms"] > 0
        assert lines[1]["calls"]["target"] >= 5

    def test_whole_rotations_by_the_api_through_the_deployed_entry_point(
        self, world: World, keyless: SecretDocument, target: SambaTarget, ca_bundle: str, tmp_path: Path
    ) -> None:
        user, key = keyless.fields.username, "awsSeamlessDomainPassword"
        arn, search, before = world.store(keyless.to_json()), Search(world, (tmp_path,)), len(asked(world.aws))
        with world.aws.directories() as directories:
            directories.by_id[DIRECTORY_ID] = directory_at(target)
        with world.deployed(environment={"TLS_CA_BUNDLE": ca_bundle}) as function:
            for _ in range(2):
                old, seen = world.value(arn), function.rotate(arn)
                assert target.refusal(user, world.value(arn)[key]) is None
                assert target.refusal(user, old[key]) is not None
                assert world.value(arn) == {**old, key: world.value(arn)[key]}
                for value in (old, world.value(arn)):
                    search.for_value("a password", value[key])
                assert search.in_what_is_told(*seen.values()) == []
            assert asked(world.aws)[before:].count("ResetUserPassword") == 2
            run = world.begin(arn)
            denial = f"User: x is not authorized to perform: ds:ResetUserPassword with {world.value(arn)[key]}"
            world.aws.fail("ds", "ResetUserPassword", code="AccessDeniedException", message=denial)
            function.steps(run, "createSecret")
            failed = function.step("setSecret", run)
            world.aws.clear_faults()
            assert set(failed.reasons.values()) == {"access_denied"}
            assert search.in_what_is_told(failed) == []
            # An answer that is lost: the client asks again, and sets the same.
            world.aws.disturb("ds", "ResetUserPassword", by=Disturbance.LOSE_ANSWER, times=1)
            function.steps(run)
            world.aws.clear_faults()
        assert target.refusal(user, world.value(arn)[key]) is None
        assert {each.line["engine"] for each in seen.values()} == {"activedirectory"}


def test_two_domain_controllers_at_one_address_are_told_apart(started: object, authority: CertificateAuthority) -> None:
    certificate: TlsFiles = authority.issue("localhost")
    running = started(SETUPS[0])  # type: ignore[operator]
    with pytest.raises(ServerError, match="is taken"), SambaTarget(certificate):
        pytest.fail("it started")
    assert running.server.is_running
