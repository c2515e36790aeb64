"""A function on the stage whose every invocation is observed."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, override

from local.invocation import Invocation
from local.lambda_runtime import LambdaFunction


class WatchedFunction(LambdaFunction):
    """A function that tells `observe` of its invocations.

    Set `may_be_invoked` to False to take the caller's permission away: Lambda then refuses the call before it knows of any
    invocation, so there is neither a log nor a metric.
    """

    def __init__(self, handler: str, *, observe: Callable[[Invocation], None], **options: Any) -> None:
        super().__init__(handler, **options)
        self.may_be_invoked = True
        self._observe = observe

    @override
    def invoke(self, event: Any, *, trace_id: str | None = None) -> Invocation:
        if not self.may_be_invoked:
            return self._refusal()
        invocation = super().invoke(event, trace_id=trace_id)
        self._observe(invocation)
        return invocation

    def _refusal(self) -> Invocation:
        text = f"is not authorized to perform: lambda:InvokeFunction on resource: {self.arn}"
        return Invocation(
            function_name=self.function_name,
            request_id=str(uuid.uuid4()),
            trace_id="",
            started_at=datetime.now(UTC),
            function_error="AccessDeniedException",
            error_type="AccessDeniedException",
            error_message=text,
        )
