"""Airflow connections by name: existing, of the type that their use needs, and with an identity of their own.

The hooks are more lenient. Amazon's takes a missing connection for an empty one, all take one of any type,
and an empty one means the worker: keys of its environment, its instance's role, its kubeconfig.
"""

import os
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

AWS, GOOGLE, KUBERNETES, LOCALKUBE, REDIS = "aws", "google_cloud_platform", "kubernetes", "http", "redis"
OF_STORE = {"s3": AWS, "gs": GOOGLE}
OF_PROVIDER = {"local": LOCALKUBE, "existing": KUBERNETES, "gke": GOOGLE, "eks": AWS}
_WHO = {  # extras of a connection that give it an identity
    AWS: ("aws_access_key_id", "profile_name", "role_arn"),
    GOOGLE: (
        *("keyfile_dict", "key_path", "key_secret_name", "credential_config_file", "is_anonymous"),
        *("impersonation_chain", "idp_issuer_url"),
    ),
    KUBERNETES: ("kube_config", "kube_config_path", "in_cluster"),
}
_OBJECTS = ("config_kwargs", "session_kwargs")  # in the extra of a connection to AWS


class UnfitConnection(AirflowException):
    """A connection cannot be used; the text continues a sentence that names it."""


def find_connection(name: str, kind: str) -> Any:
    """Return the connection of a name; raise UnfitConnection for none, another type or a malformed one."""
    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        variable = f"AIRFLOW_CONN_{name.upper()}"
        why = (
            f"{variable} is neither a URL nor JSON"
            if variable in os.environ
            else "there is none of that name"
        )
        raise UnfitConnection(why) from None
    if found.conn_type != kind:
        raise UnfitConnection(f"it is of the type {found.conn_type!r}; it must be of the type {kind!r}")
    extra: Any = found.extra_dejson  # a list, where somebody has written one
    inner = [extra.get(key, {}) for key in _OBJECTS] if isinstance(extra, dict) else [None]
    if not all(isinstance(one, dict) for one in inner):
        raise UnfitConnection(f"its extra must be an object, and so must {' and '.join(_OBJECTS)} in it")
    return found


def is_set_up(name: str | None) -> bool:
    """Return whether there is a connection of a name, or none is needed."""
    try:
        return not name or bool(BaseHook.get_connection(name))
    except AirflowNotFoundException:
        return False


def is_somebody(connection: Any) -> bool:
    """Return whether a connection has an identity, so that nothing falls back on the worker's own."""
    kind, extra = connection.conn_type, connection.extra_dejson
    if kind == AWS:
        unsigned = extra.get("config_kwargs", {}).get("signature_version") == "unsigned"
        extra = extra | extra.get("session_kwargs", {})
        if connection.login or unsigned:
            return True
    who = _WHO.get(kind)
    return who is None or any(extra.get(key) or extra.get(f"extra__{kind}__{key}") for key in who)
