"""How far the history of a collection goes back."""

import pytest

from localkube.objects import store as module
from localkube.objects.errors import ApiError
from localkube.objects.object import Obj
from localkube.objects.store import Store


async def test_a_version_before_the_kept_history_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HISTORY", 10)
    store = Store(lambda *_: None, revision=100)
    history = store.histories["configmaps"]
    for number in range(40):
        store.create("configmaps", Obj(kind="ConfigMap", metadata={"name": f"c{number}", "namespace": "n"}))
    with pytest.raises(ApiError, match="too old resource version: 110") as refused:
        await history.after(110, 1)
    assert refused.value.code == 410
    assert len(await history.after(store.revision - 5, 1)) == 5
