"""The official client of any Kubernetes cluster, with plain HTTP beside it for what the client hides."""

import ssl
from pathlib import Path
from typing import Any

import httpx
from kubernetes import client, config


class Kube:
    """One cluster, as the current context of a kubeconfig, or of a file with one, names it."""

    def __init__(self, kubeconfig: dict[str, Any] | Path) -> None:
        self.kubeconfig = kubeconfig
        self.client = (
            config.new_client_from_config(str(kubeconfig))
            if isinstance(kubeconfig, Path)
            else config.new_client_from_config_dict(kubeconfig)
        )
        self.core = client.CoreV1Api(self.client)
        self.batch = client.BatchV1Api(self.client)
        self.apps = client.AppsV1Api(self.client)
        self.version = client.VersionApi(self.client)
        settings = self.client.configuration
        self.url: str = settings.host
        self.trust = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if settings.cert_file:
            self.trust.load_cert_chain(settings.cert_file, settings.key_file)
        self.headers: dict[str, str] = {}
        self.client.update_params_for_auth(self.headers, [], ["BearerToken"])
        self.http = httpx.Client(base_url=self.url, headers=self.headers, verify=self.trust, timeout=30)

    @property
    def minor(self) -> int:
        """36 of a server of version 1.36."""
        return int(self.version.get_code().minor.rstrip("+"))
