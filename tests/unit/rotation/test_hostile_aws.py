"""An endpoint that answers anything but what AWS would: never a success, never a defect, never its own words."""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast, override

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.certificate_authority import CertificateAuthority
from local.contract.peers import answering
from local.contract.rotating import new_record
from local.loopback_server import LoopbackConnection, LoopbackServer
from rotation.aws import AwsCalls, AwsClients, Patience
from rotation.errors import AccessDeniedError, AwsError, AwsRejectedError, AwsUnavailableError, RotationError
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

SECTION = "hostile servers"
SENTINEL = "Sentinel-7f3a91c2"
ONCE = Patience(connect=1.0, read=2.0, attempts=1, within_deadline=True)
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "describe_secret": ("secretsmanager", {"SecretId": "app"}),
    "get_secret_value": ("secretsmanager", {"SecretId": "app"}),
    "put_secret_value": ("secretsmanager", {"SecretId": "app", "ClientRequestToken": "t" * 32, "SecretString": SENTINEL}),
    "update_secret_version_stage": ("secretsmanager", {"SecretId": "app", "VersionStage": "AWSCURRENT"}),
    "list_secrets": ("secretsmanager", {}),
    "list_secret_version_ids": ("secretsmanager", {"SecretId": "app"}),
    "describe_db_instances": ("rds", {"DBInstanceIdentifier": "main"}),
    "describe_db_clusters": ("rds", {"DBClusterIdentifier": "fleet"}),
}

CHANGES = {"put_secret_value", "update_secret_version_stage"}
"""Their answers hold nothing that is used."""


class FakeEndpoint(LoopbackServer):
    """Gives one answer to everything; `raw` is sent as it is, and the connection closed."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.raw: bytes | None = None
        super().__init__(_FakeConnection)


class _FakeConnection(LoopbackConnection):
    @override
    def do_POST(self) -> None:
        self.body()
        endpoint = cast("FakeEndpoint", self.server)
        if endpoint.raw is None:
            return self.reply(endpoint.status, {"Content-Type": "application/x-amz-json-1.1"}, endpoint.body)
        self.wfile.write(endpoint.raw)
        self.wfile.flush()
        self.close_connection = True
        return None


@pytest.fixture(scope="module")
def endpoint() -> Iterator[FakeEndpoint]:
    server = FakeEndpoint()
    yield server
    server.close()


Call = Callable[[str], RotationError]


@pytest.fixture(scope="module")
def call(endpoint: FakeEndpoint, new_clients: Callable[[], AwsClients]) -> Call:
    """Makes a call that must fail, and gives the error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{endpoint.address}")
        clients = new_clients()
        for service in ("secretsmanager", "rds"):
            clients.raw(service, ONCE)
    return lambda operation: failure(clients, operation)


def failure(clients: AwsClients, operation: str) -> RotationError:
    service, parameters = OPERATIONS[operation]
    with pytest.raises(RotationError) as caught:
        AwsCalls(service, clients.raw(service, ONCE), new_record())(operation, **parameters)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert SENTINEL not in str(caught.value)
    return caught.value


def serve(endpoint: FakeEndpoint, body: bytes, status: int = 200) -> None:
    endpoint.raw, endpoint.status, endpoint.body = None, status, body


NO_ANSWERS = {
    "nothing": b"",
    "an empty object": b"{}",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"ARN"',
    "a page": b"<html><body>Please log in</body></html>",
    "half of one": b'{"ARN": "arn:aws:secretsm',
    "no text": b"\xff\xfe\x00",
    "nested without end": b"[" * 100_000,
    "no XML": b"<a>",
    "other XML": b"<DescribeDBInstancesResponse/>",
    "wrong types": b'{"ARN": 5, "VersionId": [], "CreatedDate": 1, "SecretList": 5, "Versions": "x"}',
    "a wrong date": b'{"ARN": "a", "VersionId": "v", "CreatedDate": "yesterday", "SecretList": 1, "Versions": 1}',
    "a date beyond all dates": b'{"VersionId": "v", "CreatedDate": 1e400, "LastChangedDate": 1e400}',
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_that_is_none_is_an_unavailable_service_and_never_a_success(
    endpoint: FakeEndpoint, call: Call, verdict: Verdict, operation: str
) -> None:
    kinds = {}
    for name, body in NO_ANSWERS.items():
        serve(endpoint, body)
        if not (name == "a wrong date" and operation in CHANGES):
            kinds[name] = type(call(operation))
    verdict.add(SECTION, tried=len(kinds), survived=sum(kind is AwsUnavailableError for kind in kinds.values()))
    assert set(kinds.values()) == {AwsUnavailableError}


@pytest.mark.parametrize(
    "body",
    [
        {"ARN": "a", "Tags": [5]},
        {"ARN": "a", "Tags": [{"Key": 1, "Value": "x"}]},
        {"ARN": "a", "Tags": [{"Key": "x"}]},
        {"ARN": "a", "VersionIdsToStages": ["x"]},
        {"ARN": "a", "VersionIdsToStages": {"v": [1]}},
        {"ARN": ["a"]},
    ],
    ids=str,
)
def test_a_description_with_wrong_types_is_none(endpoint: FakeEndpoint, call: Call, body: dict[str, Any]) -> None:
    serve(endpoint, json.dumps(body).encode())
    assert type(call("describe_secret")) is AwsUnavailableError


@pytest.mark.parametrize("value", [5, [SENTINEL], {"SecretString": SENTINEL}])
def test_a_value_that_is_no_text_is_none_and_is_not_repeated(endpoint: FakeEndpoint, call: Call, value: object) -> None:
    serve(endpoint, json.dumps({"ARN": "a", "VersionId": "v", "CreatedDate": 1, "SecretString": value}).encode())
    error = call("get_secret_value")
    assert type(error) is AwsUnavailableError
    assert "SecretString" in error.message


RAW = {
    "no HTTP": b"garbage\r\n\r\n",
    "a database's greeting": b"E\0\0\0\x0cSFATAL\0\0",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "less than promised": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    "no chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
    "an unknown status": b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("operation", ["describe_secret", "put_secret_value", "describe_db_instances"])
def test_what_is_no_http_is_an_unavailable_service(
    endpoint: FakeEndpoint, call: Call, verdict: Verdict, operation: str
) -> None:
    kinds = {}
    for name, raw in RAW.items():
        endpoint.raw = raw
        kinds[name] = type(call(operation))
    verdict.add(SECTION, tried=len(kinds), survived=sum(kind is AwsUnavailableError for kind in kinds.values()))
    assert kinds == dict.fromkeys(RAW, AwsUnavailableError)


def test_a_redirection_is_not_followed(endpoint: FakeEndpoint, call: Call) -> None:
    heard: list[bytes] = []
    with answering(lambda connection: heard.append(connection.recv(65536))) as port:
        endpoint.raw = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode()
        assert isinstance(call("put_secret_value"), AwsError)
    assert heard == []


@pytest.mark.parametrize("field", ["__type", "code", "message", "Message"])
@pytest.mark.parametrize("value", [SENTINEL + " and more", 5, None, [SENTINEL], {SENTINEL: 1}], ids=str)
def test_an_errors_own_words_are_not_repeated_whatever_they_are(
    endpoint: FakeEndpoint, call: Call, field: str, value: object
) -> None:
    for status in (400, 403, 500):
        serve(endpoint, json.dumps({"__type": "AccessDeniedException", field: value}).encode(), status)
        assert isinstance(call("put_secret_value"), AwsError)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SENTINEL),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text() | st.just("ARN"), children, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()),
    status=st.sampled_from([200, 204, 302, 400, 403, 404, 413, 429, 500, 503]),
    operation=st.sampled_from(["get_secret_value", "list_secrets", "describe_db_clusters"]),
)
def test_any_answer_fails_within_the_tree(
    *, endpoint: FakeEndpoint, call: Call, verdict: Verdict, body: bytes, status: int, operation: str
) -> None:
    serve(endpoint, body, status)
    error = call(operation)
    verdict.add(SECTION, tried=1, survived=int(isinstance(error, AwsError)))
    assert isinstance(error, AwsError)


SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:1:secret:prod/app-AbCdEf"
DENIED = "not authorized to perform: secretsmanager:GetSecretValue"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            f"User: arn:aws:sts::1:r is {DENIED} on resource: {SECRET_ARN} because no identity-based policy allows it",
            f"({DENIED} on resource: {SECRET_ARN} because no identity-based policy allows)",
        ),
        (
            f"{DENIED} with an explicit deny in a service control policy",
            f"({DENIED} with an explicit deny in a service control policy)",
        ),
        (f"the request {{'SecretString': '{SENTINEL}'}} was denied", ""),
        (f"not authorized to perform: {SENTINEL}", ""),
        (f"{DENIED} on resource: {SENTINEL}", f"({DENIED})"),
        (f"{DENIED} because {SENTINEL}", f"({DENIED})"),
        (f"{DENIED} because no {SENTINEL} allows", f"({DENIED})"),
    ],
)
def test_of_a_denial_only_permission_resource_and_policy_are_repeated(
    endpoint: FakeEndpoint, call: Call, words: str, told: str
) -> None:
    serve(endpoint, json.dumps({"__type": "AccessDeniedException", "Message": words}).encode(), 400)
    error = call("put_secret_value")
    assert type(error) is AccessDeniedError
    assert error.message == f"secretsmanager put_secret_value answered AccessDeniedException {told}".rstrip()


@pytest.mark.parametrize("certificate", ["somebody else's", "expired"])
def test_a_man_in_the_middle_hears_no_request(
    certificate: str,
    tmp_path: Path,
    new_clients: Callable[[], AwsClients],
    monkeypatch: pytest.MonkeyPatch,
    verdict: Verdict,
) -> None:
    known = CertificateAuthority(tmp_path / "known")
    stranger = CertificateAuthority(tmp_path / "stranger")
    files = known.issue("localhost", is_expired=True) if certificate == "expired" else stranger.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.private_key)
    heard: list[bytes] = []

    def listen(connection: Any) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            heard.append(tls.recv(65536))

    with answering(listen) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{port}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(known.certificate))
        error = failure(new_clients(), "put_secret_value")
    verdict.add(SECTION, tried=1, survived=int(heard == [] and type(error) is AwsUnavailableError))
    assert heard == []
    assert type(error) is AwsUnavailableError
    assert "SSLError" in error.message


def test_a_parameter_that_is_refused_before_the_call_is_not_quoted(
    new_clients: Callable[[], AwsClients],
) -> None:
    calls = new_clients().calls("secretsmanager", new_record())
    with pytest.raises(AwsRejectedError) as caught:
        calls("put_secret_value", SecretId="app", SecretString=[SENTINEL], Description={SENTINEL: SENTINEL})
    assert SENTINEL not in str(caught.value)
    assert caught.value.__suppress_context__
