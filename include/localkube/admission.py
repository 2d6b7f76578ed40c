"""What happens to an object a client sends before it is stored: read, completed, checked."""

import uuid

from localkube import errors
from localkube.defaults import job_selector, with_defaults
from localkube.errors import ApiError, Problem, forbidden, invalid, required
from localkube.field_rules import name_problem
from localkube.objects import Obj, containers_of, deleting, name_of, with_metadata
from localkube.resources import Resource
from localkube.schema import Decoder
from localkube.spec_rules import Problems, data_problems
from localkube.store import generated_name

_SERVER_SET = (
    *("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("namespace", "generation", "generateName"),
)
_NEVER_TAKEN = ("managedFields", "selfLink")
_WITH_SPEC = ("pods", "jobs", "daemonsets")
_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
_JOB_IMMUTABLE = (
    *("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "podReplacementPolicy"),
    *("selector", "template"),
)


class Admission:
    """Admits the object of one request; `warnings` is what the client is to be told besides."""

    def __init__(self, resource: Resource, field_validation: str = "") -> None:
        supported = ("", "Ignore", "Strict", "Warn")
        if field_validation not in supported:
            raise ApiError(
                400,
                f'fieldValidation: Unsupported value: "{field_validation}": supported values: '
                '"Ignore", "Strict", "Warn"',
            )
        self._resource, self._unknown_fields = resource, field_validation or "Warn"
        self.warnings: list[str] = []

    def new(self, sent: Obj, namespace: str) -> Obj:
        """The object to create. Raises ApiError 400 or 422."""
        resource = self._resource
        obj, problems = self._read(sent)
        given = obj.get("metadata", {})
        if resource.namespaced and given.get("namespace", namespace) != namespace:
            raise ApiError(
                400, "the namespace of the provided object does not match the namespace sent on the request"
            )
        unset = (*_SERVER_SET, *_NEVER_TAKEN, "resourceVersion")
        meta: Obj = {key: value for key, value in given.items() if key not in unset}
        meta |= {"namespace": namespace} if resource.namespaced else {}
        if prefix := given.get("generateName"):
            meta = {"generateName": prefix, "name": generated_name(prefix)} | meta
        meta |= {"uid": str(uuid.uuid4())} | ({"generation": 1} if resource.plural in _WITH_SPEC else {})
        return self._checked({**obj, "metadata": meta}, None, problems)

    def changed(self, sent: Obj, old: Obj) -> Obj:
        """The object to store in place of the old one; its status stays. Raises ApiError 400, 409 or 422."""
        self._same_object(sent, old)
        obj, problems = self._read(sent)
        taken = {
            key: value for key, value in obj["metadata"].items() if key not in (*_SERVER_SET, *_NEVER_TAKEN)
        }
        kept = {key: old["metadata"][key] for key in _SERVER_SET if key in old["metadata"]}
        obj = self._checked({**obj, "metadata": taken | kept}, old, problems)
        if "generation" in kept and obj.get("spec") != old.get("spec"):
            obj = with_metadata(obj, generation=kept["generation"] + 1)
        return obj

    def changed_status(self, sent: Obj, old: Obj) -> Obj:
        """The old object with the status that was sent. Raises ApiError 400 or 409."""
        given = self._same_object(sent, old)
        decoder = Decoder(self._resource.kind)
        status = decoder.decode({"metadata": given, "status": sent.get("status") or {}})["status"]
        return with_metadata({**old, "status": status}, resourceVersion=given.get("resourceVersion"))

    def _same_object(self, sent: Obj, old: Obj) -> Obj:
        given = sent.get("metadata")
        if not isinstance(given, dict) or given.get("name") != name_of(old):
            raise ApiError(400, "the name of the object does not match the name on the URL")
        if given.get("uid") not in (None, old["metadata"]["uid"]):
            raise errors.conflict(self._resource.plural, name_of(old))
        return given

    def _read(self, sent: Obj) -> tuple[Obj, list[tuple[str, Problem]]]:
        """The object in its schema's shape, without status, and what is wrong with its fields."""
        named = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        kind, version = sent.get("kind", named["kind"]), sent.get("apiVersion", named["apiVersion"])
        if {"apiVersion": version, "kind": kind} != named:
            raise ApiError(
                400,
                f"{kind} in version {version!r} cannot be handled as a {named['kind']} of "
                f"{named['apiVersion']}",
            )
        decoder = Decoder(kind)
        blank: Obj = {"spec": {}} if self._resource.plural in _WITH_SPEC else {}
        obj = decoder.decode(named | blank | {key: value for key, value in sent.items() if key != "status"})
        unknown = [f'unknown field "{path}"' for path in decoder.unknown]
        if unknown and self._unknown_fields == "Strict":
            raise ApiError(
                400,
                f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding '
                f"error: {', '.join(unknown)}",
            )
        self.warnings += unknown if self._unknown_fields == "Warn" else []
        return obj, decoder.problems

    def _checked(self, obj: Obj, old: Obj | None, problems: list[tuple[str, Problem]]) -> Obj:
        """The object with its defaults. Raises ApiError 422."""
        resource = self._resource
        if not problems:
            obj = with_defaults(resource.plural, obj)
            problems = list(_problems(resource, obj, old))
        if problems:
            name = obj["metadata"].get("name", "")
            raise errors.unprocessable(resource.kind, name, problems, group=resource.group)
        kept = {"status": old["status"]} if old is not None and "status" in old else {}
        return obj | kept


def _problems(resource: Resource, obj: Obj, old: Obj | None) -> Problems:
    """What is wrong with an object that has its defaults, and with its change."""
    name = obj["metadata"].get("name")
    if not name:
        yield "metadata.name", required("name or generateName is required")
    elif problem := name_problem(name, of_namespace=resource.plural == "namespaces"):
        yield "metadata.name", problem
    spec, was = obj.get("spec") or {}, old.get("spec") or {} if old else {}
    match resource.plural:
        case "configmaps" | "secrets":
            yield from data_problems(obj, old)
        case "pods" if old and _frozen(spec) != _frozen(was):
            yield (
                "spec",
                forbidden(
                    "pod updates may not change fields other than `spec.containers[*].image`,"
                    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`"
                ),
            )
        case "daemonsets" if old and spec["selector"] != was["selector"]:
            yield "spec.selector", invalid(spec["selector"], "field is immutable")
        case "jobs":
            yield from _job_problems(obj, was)


def _frozen(spec: Obj) -> Obj:
    """A pod's spec without what may change."""
    frozen: Obj = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
    return {
        **frozen,
        "initContainers": 0,
        "containers": [{**one, "image": ""} for one in containers_of(spec)],
    }


def _job_problems(job: Obj, was: Obj) -> Problems:
    spec, name = job["spec"], job["metadata"].get("name") or ""
    longest = f"{name}-{max(spec['completions'] - 1, 0)}" if spec["completionMode"] == "Indexed" else name
    if len(longest) > 63:
        detail = f"must be short enough for the host name of a pod, {longest} (63 characters)"
        yield "metadata.name", invalid(name, detail)
    if not was and spec["selector"] != job_selector(job):
        yield "spec.selector", invalid(spec["selector"], "`selector` not auto-generated")
    for field in _JOB_IMMUTABLE if was else ():
        if spec.get(field) != was.get(field):
            yield f"spec.{field}", invalid(spec.get(field), "field is immutable")
    grown = spec["completionMode"] == "Indexed" and spec.get("completions") == spec["parallelism"]
    if was and spec.get("completions") != was.get("completions") and not grown:
        yield "spec.completions", invalid(spec.get("completions"), "field is immutable")


def check_namespace(resource: str, obj: Obj, namespace: Obj | None) -> None:
    """Refuse to create in a namespace that is missing or going. Raises ApiError 403 or 404."""
    name = obj["metadata"]["namespace"]
    if namespace is None:
        raise errors.not_found("namespaces", name)
    if deleting(namespace):
        why = f"unable to create new content in namespace {name} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "field": "metadata.namespace",
            "message": f"namespace {name} is being terminated",
        }
        raise errors.refused(resource, obj["metadata"].get("name", ""), why, causes=[cause])
