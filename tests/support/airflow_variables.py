"""Airflow's Variables as tasks see them, kept by a test."""

from typing import Any


class Variables(dict[str, str]):
    """Stands for ``airflow.sdk.Variable``."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default)

    def set(self, key: str, value: str, description: str = "") -> None:
        self[key] = value

    def keys(self, prefix: str = "") -> Any:
        return [key for key in self if key.startswith(prefix)]

    def delete(self, key: str) -> None:
        self.pop(key, None)
