"""What happens to a client's object before it is stored: read, completed, checked."""

import uuid

from localkube.objects.defaults import complete, generated_name, job_selector
from localkube.objects.errors import ApiError, conflict, not_found, refused
from localkube.objects.object import Json, Obj, containers_of, contents_of
from localkube.objects.resources import Resource
from localkube.objects.rules import Problem, forbidden, invalid, name_problems, unprocessable
from localkube.objects.schema import Decoder
from localkube.objects.store import Store

_SERVER_SET = (
    *("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("namespace", "generation", "generateName"),
)
_NEVER_TAKEN = ("managedFields", "selfLink")
_WITH_SPEC = ("pods", "jobs", "daemonsets")
_POD_MUTABLE = ("tolerations", "terminationGracePeriodSeconds")
_JOB_IMMUTABLE = (
    *("completions", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "selector", "template"),
)
_PRIORITIES = ("system-cluster-critical", "system-node-critical")
_LARGEST_DATA = 1 << 20  # bytes in a ConfigMap or Secret


class Admission:
    """Admits the object of one request; `warnings` are for the client."""

    def __init__(self, resource: Resource, field_validation: str = "") -> None:
        supported = ("Warn", "Ignore", "Strict")
        self._resource, self._unknown_fields = resource, field_validation or "Warn"
        if self._unknown_fields not in supported:
            message = f'Unsupported value: "{field_validation}": supported values: {", ".join(supported)}'
            raise ApiError(400, f"fieldValidation: {message}")
        self.warnings: list[str] = []

    def new(self, sent: Json, namespace: str) -> Obj:
        """Return the object to create; raise ApiError 400 or 422."""
        resource = self._resource
        obj, problems = self._read(sent)
        given = obj.get("metadata", {})
        if resource.namespaced and given.get("namespace", namespace) != namespace:
            message = "the namespace of the provided object does not match the namespace sent on the request"
            raise ApiError(400, message)
        unset = (*_SERVER_SET, *_NEVER_TAKEN, "resourceVersion")
        meta: Json = {key: value for key, value in given.items() if key not in unset}
        meta |= {"namespace": namespace} if resource.namespaced else {}
        if prefix := given.get("generateName"):
            meta = {"generateName": prefix, "name": generated_name(prefix)} | meta
        meta |= {"uid": str(uuid.uuid4())} | ({"generation": 1} if resource.plural in _WITH_SPEC else {})
        return self._checked(obj | {"metadata": {"name": ""} | meta}, None, problems)

    def changed(self, sent: Json, old: Obj) -> Obj:
        """Return the object to store, with the old one's status; raise ApiError 400, 409 or 422."""
        self._same_object(sent, old)
        obj, problems = self._read(sent)
        unset = (*_SERVER_SET, *_NEVER_TAKEN)
        meta = {key: value for key, value in obj["metadata"].items() if key not in unset}
        meta |= {key: old["metadata"][key] for key in _SERVER_SET if key in old["metadata"]}
        admitted = self._checked(obj | {"metadata": meta}, old, problems)
        if "generation" in meta and admitted.get("spec") != old.get("spec"):
            return admitted.with_metadata(generation=meta["generation"] + 1)
        return admitted

    def changed_status(self, sent: Json, old: Obj) -> Obj:
        """Return the old object with the new status; raise ApiError 400 or 409."""
        given = self._same_object(sent, old)
        read = Decoder(self._resource.kind).decode({"metadata": given, "status": sent.get("status") or {}})
        return old.replaced(status=read["status"]).with_metadata(resourceVersion=given.get("resourceVersion"))

    def _same_object(self, sent: Json, old: Obj) -> Json:
        given = sent.get("metadata")
        if not isinstance(given, dict) or given.get("name") != old.name:
            raise ApiError(400, "the name of the object does not match the name on the URL")
        if given.get("uid") not in (None, old.uid):
            raise conflict(self._resource.plural, old.name)
        return given

    def _read(self, sent: Json) -> tuple[Json, list[Problem]]:
        """Return the object in its schema's shape, without status, and the problems of its fields."""
        own, group_version = self._resource.kind, self._resource.api_version
        kind, version = sent.get("kind", own), sent.get("apiVersion", group_version)
        cannot = f'{kind} in version "{version}" cannot be handled as a {own} of {group_version}'
        if (kind, version) != (own, group_version):
            raise ApiError(400, cannot)
        decoder = Decoder(own)
        blank: Json = {"apiVersion": version, "kind": kind}
        blank |= {"spec": {}} if self._resource.plural in _WITH_SPEC else {}
        obj = decoder.decode(blank | {key: value for key, value in sent.items() if key != "status"})
        unknown = [f'unknown field "{path}"' for path in decoder.unknown]
        if unknown and self._unknown_fields == "Strict":
            raise ApiError(400, f"{cannot}: strict decoding error: {', '.join(unknown)}")
        self.warnings += unknown if self._unknown_fields == "Warn" else []
        return obj, decoder.problems

    def _checked(self, given: Json, old: Obj | None, problems: list[Problem]) -> Obj:
        """Return the object with its defaults; raise ApiError 422."""
        resource, obj = self._resource, Obj(given)
        if not problems:
            obj = complete(obj)
            problems = [*name_problems(obj.name, resource.plural == "namespaces")]
            problems += _CHECKS[resource.plural](obj, old or Obj()) if resource.plural in _CHECKS else []
        if problems:
            raise unprocessable(resource.kind, obj.name, problems, group=resource.group)
        return obj.replaced(status=old["status"]) if old is not None and "status" in old else obj


def _data(obj: Obj, old: Obj) -> list[Problem]:
    """Check the data of a ConfigMap or Secret."""
    if sum(map(len, contents_of(obj).values())) > _LARGEST_DATA:
        return [Problem("data", "FieldValueTooLong", f"Too long: may not be more than {_LARGEST_DATA} bytes")]
    fields = ("data", "binaryData", "immutable") if old.get("immutable") else ()
    changed = [field for field in fields if obj.get(field) != old.get(field)]
    return [forbidden(field, "field is immutable when `immutable` is set") for field in changed]


def _pod(pod: Obj, old: Obj) -> list[Problem]:
    if not old or _frozen(pod["spec"]) == _frozen(old["spec"]):
        return []
    mutable = ("containers[*].image", "initContainers[*].image", "tolerations")
    listed = ",".join(f"`spec.{field}`" for field in mutable)
    return [forbidden("spec", f"pod updates may not change fields other than {listed}")]


def _frozen(spec: Json) -> Json:
    """Return a pod's spec without what may change."""
    images = {"initContainers": 0, "containers": [{**one, "image": ""} for one in containers_of(spec)]}
    return {key: value for key, value in spec.items() if key not in _POD_MUTABLE} | images


def _daemon_set(owner: Obj, old: Obj) -> list[Problem]:
    return _unchanged(owner["spec"], old["spec"], "selector") if old else []


def _job(job: Obj, old: Obj) -> list[Problem]:
    spec, problems = job["spec"], []
    indexed = spec["completionMode"] == "Indexed"
    longest = f"{job.name}-{max(spec['completions'] - 1, 0)}" if indexed else job.name
    if len(longest) > 63:
        detail = f"must be short enough for the host name of a pod, {longest} (63 characters)"
        problems.append(invalid("metadata.name", job.name, detail))
    if not old and spec["selector"] != job_selector(job):
        problems.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return problems + (_unchanged(spec, old["spec"], *_JOB_IMMUTABLE) if old else [])


def _unchanged(spec: Json, was: Json, *fields: str) -> list[Problem]:
    changed = [field for field in fields if spec.get(field) != was.get(field)]
    return [invalid(f"spec.{field}", spec.get(field), "field is immutable") for field in changed]


_CHECKS = {"configmaps": _data, "secrets": _data, "pods": _pod, "daemonsets": _daemon_set, "jobs": _job}


def check_references(store: Store, namespace: str, name: str, spec: Json) -> None:
    """Refuse a pod with a missing account or priority; raise ApiError 403."""
    account, priority = spec["serviceAccountName"], spec.get("priorityClassName")
    if account != "default" and store.get("serviceaccounts", namespace, account) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise refused("pods", name, why)
    if priority and priority not in _PRIORITIES:
        raise refused("pods", name, f"no PriorityClass with name {priority} was found")


def check_namespace(resource: str, obj: Obj, namespace: Obj | None) -> None:
    """Refuse to create in a namespace that is missing or being deleted; raise ApiError 403 or 404."""
    if namespace is None:
        raise not_found("namespaces", obj.namespace)
    if namespace.deleting:
        why = f"unable to create new content in namespace {obj.namespace} because it is being terminated"
        cause = {"reason": "NamespaceTerminating", "field": "metadata.namespace", "message": why}
        raise refused(resource, obj.name, why, causes=[cause])
