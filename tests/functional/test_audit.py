"""The audit of the dependencies fails for what it finds, and passes over only a service that does not answer at all."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import cast, override

import pytest

from local.loopback_server import LoopbackConnection, LoopbackServer
from tests.stack import ROOT

UNREACHED = "dependency audit: the vulnerability service could not be reached\n"
VULNERABILITY = {
    "id": "PYSEC-0000-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "made for this test",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "boto3"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


class FakeVulnerabilityService(LoopbackServer):
    """OSV's API, with what it is told to know: vulnerable packages, or nothing but an error.

    Source: https://google.github.io/osv.dev/post-v1-querybatch/
    """

    def __init__(self) -> None:
        self.vulnerable: set[str] = set()
        self.status = HTTPStatus.OK
        self.asked: set[str] = set()
        super().__init__(_FakeConnection)


class _FakeConnection(LoopbackConnection):
    @override
    def do_POST(self) -> None:
        names = [query["package"]["name"] for query in json.loads(self.body())["queries"]]
        self._service.asked.update(names)
        found = {"vulns": [{key: VULNERABILITY[key] for key in ("id", "modified")}]}
        self._answer({"results": [found if name in self._service.vulnerable else {} for name in names]})

    @override
    def do_GET(self) -> None:
        self._answer(VULNERABILITY)

    @property
    def _service(self) -> FakeVulnerabilityService:
        return cast("FakeVulnerabilityService", self.server)

    def _answer(self, content: object) -> None:
        self.reply(self._service.status, {"Content-Type": "application/json"}, json.dumps(content).encode())


@pytest.fixture
def service() -> Iterator[FakeVulnerabilityService]:
    server = FakeVulnerabilityService()
    yield server
    server.close()


def audit(address: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "UV_HTTP_RETRIES": "0",
        # uv asks the package index for each project's status as well, and does without an answer: nothing leaves for it.
        "UV_NO_CACHE": "1",
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9"),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
    }
    command = [str(ROOT / ".ci" / "audit"), "--service-url", f"http://{address}/"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_dependencies_without_known_vulnerabilities_pass(service: FakeVulnerabilityService) -> None:
    done = audit(service.address)
    assert (done.returncode, UNREACHED in done.stdout) == (0, False)
    assert {"boto3", "psycopg-binary", "ldap3", "pymongo", "pymysql", "redis"} <= service.asked
    assert "pytest" not in service.asked


def test_a_known_vulnerability_fails_and_is_named(service: FakeVulnerabilityService) -> None:
    service.vulnerable = {"boto3"}
    done = audit(service.address)
    assert done.returncode == 1
    assert "PYSEC-0000-1: made for this test" in done.stdout


def test_a_service_that_cannot_be_reached_is_told_in_one_line() -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        done = audit(f"127.0.0.1:{bound.getsockname()[1]}")
    assert (done.returncode, done.stdout, done.stderr) == (0, UNREACHED, "")


def test_a_service_that_answers_with_an_error_is_not_passed_over(service: FakeVulnerabilityService) -> None:
    service.status = HTTPStatus.BAD_REQUEST
    done = audit(service.address)
    assert done.returncode == 2
    assert "400" in done.stderr
