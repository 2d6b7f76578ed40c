"""The quota controller: the status of each quota says what is used and enforced."""

from localkube.controllers.controller import Controller
from localkube.controllers.events import Events
from localkube.objects.object import Key
from localkube.objects.quotas import used_of
from localkube.objects.resources import RESOURCES
from localkube.objects.store import Event, Store


class QuotaController(Controller):
    """Reconciles the quotas of namespaces where something has changed."""

    component, period = "resourcequota-controller", 0.05

    def __init__(self, store: Store, events: Events) -> None:
        super().__init__(store, events)
        for resource in RESOURCES.values():
            if resource.namespaced and resource.plural != "events":
                store.subscribe(resource.plural, self._note)

    def _note(self, event: Event) -> None:
        for quota in self.store.objects("resourcequotas", event.new.namespace):
            self.enqueue(quota.key("resourcequotas"))

    def sync(self, key: Key) -> None:
        quota = self.store.get(*key)
        if quota is not None:
            used = {name: f"{value:g}" for name, value in used_of(self.store, quota).items()}
            self.report(key[0], quota, {"hard": quota.at("spec.hard") or {}, "used": used})
