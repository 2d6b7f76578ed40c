"""Pods trust the authority of a site besides those they know."""

import os
import ssl
from pathlib import Path

import pytest

from pod_process import Pod
from web_server import WebServer
from workload.errors import Misconfigured
from workload.trust import trusting


def test_a_pod_trusts_the_certificates_it_is_handed(
    pod: Pod, shard_file: Path, web_server: WebServer
) -> None:
    pod.give({"name": "a", "url": web_server.put("a.root", shard_file.read_bytes())})
    pod.environ["CA_CERTIFICATES"] = web_server.authority.read_text()
    ended = pod.run()
    assert (ended.code, ended.stderr) == (0, "")
    assert pod.result("a")["processed"] == 500


def test_those_of_the_system_stay_trusted(web_server: WebServer, tmp_path: Path) -> None:
    usual = tmp_path / "usual.pem"
    usual.write_text("# the system's\n")
    os.environ["SSL_CERT_FILE"] = str(usual)  # the fixture puts it back
    environ = {"CA_CERTIFICATES": web_server.authority.read_text()}
    with trusting(environ):
        bundle = Path(environ["SSL_CERT_FILE"])
        assert bundle.read_text().split() == (usual.read_text() + environ["CA_CERTIFICATES"]).split()
        assert len(ssl.create_default_context(cafile=bundle).get_ca_certs()) == 1
    assert not bundle.exists()


def test_without_any_nothing_is_changed() -> None:
    environ: dict[str, str] = {}
    with trusting(environ):
        assert environ == {}


@pytest.mark.parametrize("text", ["no certificate", "-----BEGIN CERTIFICATE-----\nAA\n"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="CA_CERTIFICATES has no PEM certificates"):
        trusting({"CA_CERTIFICATES": text}).__enter__()
