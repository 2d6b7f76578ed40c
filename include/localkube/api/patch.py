"""The patches that the API accepts: JSON merge (RFC 7386), strategic merge and JSON patch (RFC 6902)."""

from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from localkube.objects.errors import ApiError, unsupported_media_type
from localkube.objects.object import Json, lookup

# patchMergeKey of the lists that strategic merge patches element by element; all other lists are replaced.
_MERGE_KEYS = {
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "ownerReferences": "uid",
    "hostAliases": "ip",
    "conditions": "type",
    "addresses": "type",
} | dict.fromkeys(("containers", "initContainers", "env", "volumes", "imagePullSecrets", "secrets"), "name")


def apply_patch(kind: str, obj: Json, patch: Any) -> Json:
    """Return the patched object; kind is the request's content type; raise ApiError 400, 415 or 422."""
    if kind == "application/json-patch+json":
        return _json_patch(obj, patch)
    merges = {"application/merge-patch+json": merge, "application/strategic-merge-patch+json": strategic}
    if kind not in merges:
        raise unsupported_media_type(kind)
    if not isinstance(patch, dict):
        raise ApiError(400, "the patch must be a JSON object")
    return dict(merges[kind](obj, patch))


def _json_patch(obj: Json, patch: Any) -> Json:
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise ApiError(400, "a JSON patch must be a list of operations")
    try:
        return dict(jsonpatch.apply_patch(obj, patch))
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError) as error:
        message = f"the server rejected our request due to an error in our request: {error}"
        raise ApiError(422, message) from None


def merge(target: Any, patch: Any) -> Any:
    """Merge by RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        result[key] = merge(result.get(key), value)
    return {key: value for key, value in result.items() if patch.get(key, value) is not None}


def strategic(target: Any, patch: Any) -> Any:
    """Merge as Kubernetes does: by RFC 7386, but lists with a merge key by element.

    :raises ApiError: 400 for directives that kubectl does not write.
    """
    if not isinstance(patch, dict):
        return patch
    kept = patch.get("$retainKeys")
    result = {key: value for key, value in (target or {}).items() if kept is None or key in kept}
    for key, value in patch.items():
        if key.startswith(("$retainKeys", "$setElementOrder/")):
            continue  # nothing to do, and an order that lists have here anyway
        if key.startswith("$"):
            raise ApiError(400, f"localkube does not implement the directive {key}: {value} of patches")
        if value is None or lookup(value, "$patch") == "delete":
            result.pop(key, None)
        elif key == "finalizers":
            result[key] = list(dict.fromkeys([*(result.get(key) or ()), *value]))
        elif key in _MERGE_KEYS and isinstance(value, list):
            result[key] = _merge_list(result.get(key) or [], value, _MERGE_KEYS[key])
        else:
            result[key] = strategic(result.get(key), value)
    return result


def _merge_list(target: list[Json], patch: list[Json], merge_key: str) -> list[Json]:
    result = {entry.get(merge_key): entry for entry in target}
    for entry in patch:
        if merge_key not in entry:
            raise ApiError(400, f"map: {entry} does not contain declared merge key: {merge_key}")
        key = entry[merge_key]
        if entry.get("$patch") == "delete":
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), entry)
    return list(result.values())
