"""Requests to a cluster's API: patient with one that is busy, with errors that people can act on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from higgsdemo.wording import ExplainedError, printable

LONGEST_REFUSAL = 2_000  # characters; the server names every field that is wrong
ANSWER_IN = (10.0, 60.0)  # s to connect, and of silence; the client itself would wait forever
RETRY = Retry(
    total=6,  # pauses of 0.5, 1, 2, 4 and 8 s, each up to 0.5 s longer, or what the server asks for
    backoff_factor=0.5,
    backoff_jitter=0.5,
    backoff_max=30,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,  # every write is idempotent: an object whose answer was lost is adopted
    retry_after_max=60,
    raise_on_status=False,
)
FINAL = {400, 403, 404, 405, 415, 422}  # refusals of the request itself
# A 403 that says one of these is temporary: the quota may have room later, the namespace come back.
TEMPORARY = ("exceeded quota", "status unknown for quota", "is being terminated")


class KubeError(ExplainedError):
    """A cluster refused or cannot be reached; the message names the cluster, the action and the reason.

    :param status: the API's, where it has answered.
    """

    def __init__(self, message: str, status: int | None = None, *, final: bool = False) -> None:
        passes = any(one in message for one in TEMPORARY)
        super().__init__(message, final=final or (status in FINAL and not passes))
        self.status = status


def make_patient(api: ApiClient, *, once: bool = False) -> ApiClient:
    """Let a client repeat its requests, unless `once`, with a time-out for each, and believe only the API."""
    api.rest_client.pool_manager.connection_pool_kw["retries"] = RETRY.new(total=0) if once else RETRY
    asked = api.rest_client.request

    def request(method: str, url: str, **arguments: Any) -> Any:
        with decodable(ApiException):
            answer = asked(method, url, **arguments | {"_request_timeout": ANSWER_IN})
            if arguments.get("_preload_content", True):
                check_answer(answer.data, ApiException)
            return answer

    api.rest_client.request = request
    return api


def check_answer(body: bytes, error: Callable[..., Exception]) -> None:
    """Raise a client's error, a temporary one, unless this is an answer of the API.

    Of a proxy's page, even with status 200, the clients would make an object without content.
    """
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not (isinstance(said, dict) and said.keys() & {"kind", "gitVersion"}):
        raise error(status=502, reason="what answers there is not a Kubernetes API; is a proxy in between?")


@contextmanager
def decodable(refusal: type[Exception]) -> Iterator[None]:
    """Give a client only refusals that it can decode: a proxy's may be in any encoding."""
    try:
        yield
    except refusal as error:
        told: Any = error
        told.body = (told.body or b"").decode(errors="replace").encode()
        raise


@contextmanager
def explain_errors(cluster: str, action: str, ignore: tuple[int, ...] = ()) -> Iterator[None]:
    """Turn the client's errors into a KubeError of one line; ignore the statuses in ``ignore``."""
    try:
        yield
    except ApiException as error:
        if error.status not in ignore:
            raise KubeError(f"cluster {cluster}: cannot {action}: {reason(error)}", error.status) from error
    except (HTTPError, OSError) as error:
        last = error.reason if isinstance(error, MaxRetryError) else error
        raise KubeError(f"cluster {cluster}: cannot {action}: no answer from its API ({last})") from error


def reason(error: Any) -> str:
    """Return what an API error says, in one line; for the errors of both clients."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason or "no reason given"
    return printable(f"{error.status} {message}", LONGEST_REFUSAL)
