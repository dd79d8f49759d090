"""The retry inputs that a raw request brings: they stand in for the pipeline's policy, for that call alone."""

from tenacity import RetryCallState
from tenacity.wait import wait_base

from pipeline.calls import CallKind, Reason
from pipeline.customerio.raw import RawRequest, raw_request_of
from pipeline.customerio.verdicts import Delivered, Fatal, Retry
from pipeline.delivery.batch import Operation
from pipeline.delivery.retry import last_verdict


class RawRetries:
    """tenacity's retry, wait and stop for one raw call.

    While delivery holds, which is not the call's fault, attempts do not count and are spaced as `hold_wait` says.
    """

    def __init__(self, request: RawRequest, hold_wait: wait_base) -> None:
        self._request = request
        self._hold_wait = hold_wait
        self._made = 0

    @property
    def refused_reason(self) -> Reason:
        """Why the call goes to the dead letters when it is refused at the last attempt."""
        repeats = self._request.retry_on_all_errors and self._request.max_retry_count > 0
        return Reason.RETRIES_EXHAUSTED if repeats else Reason.REJECTED

    def again(self, retry_state: RetryCallState) -> bool:
        """Note the attempt that was just made; tell whether its verdict may ask for another one."""
        verdict = last_verdict(retry_state)
        if isinstance(verdict, Fatal):
            return True
        self._made += 1
        return isinstance(verdict, Retry) or (
            self._request.retry_on_all_errors and not isinstance(verdict, Delivered)
        )

    def wait(self, retry_state: RetryCallState) -> float:
        """Return the seconds until the next attempt; a server that asks for more time gets it."""
        verdict = last_verdict(retry_state)
        if isinstance(verdict, Fatal):
            return self._hold_wait(retry_state)
        asked_s = verdict.wait_s if isinstance(verdict, Retry) else None
        return max(self._request.retry_wait_s(self._made), asked_s or 0.0)

    def stop(self, retry_state: RetryCallState) -> bool:
        """Tell whether the attempt that was just made is the last one."""
        return not isinstance(last_verdict(retry_state), Fatal) and self._made > self._request.max_retry_count


def raw_retries(operation: Operation, hold_wait: wait_base) -> RawRetries | None:
    """Return the retry inputs of a call, None for one that brings none."""
    if operation.kind is not CallKind.RAW:
        return None
    request = raw_request_of(operation.payload)
    if isinstance(request, str) or not request.retries_given:
        return None
    return RawRetries(request, hold_wait)
