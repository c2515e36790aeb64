"""Answers of the local AWS in the two wire formats of its services: JSON, and the query protocol's XML."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it goes over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error_code(self) -> str | None:
        """AWS's error code, None for a success."""
        if self.status < HTTPStatus.BAD_REQUEST:
            return None
        if xml := _XML_CODE.search(self.body):
            return xml[1].decode()
        return str(json.loads(self.body or b"{}").get("__type", self.status)).rpartition("#")[2]


def error_answer(status: int, code: str, message: str, *, is_json: bool) -> Answer:
    """Word an error as AWS does in the protocol that the caller speaks."""
    if is_json:
        body = json.dumps({"__type": code, "message": message})
        return Answer(status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, body.encode())
    error = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>local</RequestId></ErrorResponse>"
    return Answer(status, {"Content-Type": "text/xml"}, body.encode())


def to_answer(response: tuple[Any, Any, Any]) -> Answer:
    """Take over what moto's service classes return."""
    status, headers, body = response
    content = body if isinstance(body, bytes) else str(body).encode()
    texts = {str(name): str(value) for name, value in dict(headers).items()}
    kept = {name: text for name, text in texts.items() if name.lower() not in {"content-length", "status"}}
    return Answer(int(status), kept, content)
