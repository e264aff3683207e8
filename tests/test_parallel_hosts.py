"""The same job over two hosts: network namespaces with addresses of their own, joined by a bridge.

Horovod starts workers of other hosts through ``ssh``; here a script of that name enters the
namespace. Making namespaces needs rights that not every machine gives.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rsutils import parallel
from tests import parallel_jobs as jobs

pytestmark = pytest.mark.workers

BRIDGE, NET = "rs0", "10.213.77"
HOSTS = {f"{NET}.{number + 2}": f"rsutils{number}" for number in range(2)}
SSH = """#!/bin/sh
while [ "$1" = "-o" ]; do shift 2; done
host="$1"; shift
while [ "$1" = "-o" ]; do shift 2; done
case "$host" in
{cases}
*) echo "unknown host $host" >&2; exit 255;;
esac
# Horovod takes the address that a host's own name stands for, and both namespaces share that name.
hosts="$(dirname "$0")/hosts-$name"
echo "$host $(hostname)" > "$hosts"
exec ip netns exec "$name" sh -c "mount --bind '$hosts' /etc/hosts; $*"
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def remove() -> None:
    for name in HOSTS.values():
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


@pytest.fixture
def two_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str | None]:
    """Two namespaces behind a bridge; or why this machine makes none."""
    remove()
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{NET}.1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for number, (address, name) in enumerate(HOSTS.items()):
            outside = f"rsveth{number}"
            ip("netns", "add", name)
            ip("link", "add", outside, "type", "veth", "peer", "name", BRIDGE, "netns", name)
            ip("link", "set", outside, "master", BRIDGE)
            ip("link", "set", outside, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", BRIDGE)
            ip("-n", name, "link", "set", BRIDGE, "up")
            ip("-n", name, "link", "set", "lo", "up")
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        remove()
        yield getattr(error, "stderr", "") or str(error)
        return
    cases = "\n".join(f"{address}) name={name};;" for address, name in HOSTS.items())
    script = tmp_path / "ssh"
    script.write_text(SSH.format(cases=cases))
    script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    yield None
    remove()


def test_two_hosts_train_what_one_trains(two_hosts):
    if two_hosts is not None:
        assert any(word in two_hosts for word in ("permitted", "No such file", "not supported"))
        return
    found = parallel.run(
        jobs.train_on_hosts,
        num_proc=2,
        output=None,
        timeout=300,
        hosts=",".join(f"{address}:1" for address in HOSTS),
        network_interfaces=[BRIDGE],
    )
    assert [worker["addresses"] for worker in found] == [[address] for address in HOSTS]
    assert [worker["local"] for worker in found] == [(0, 1), (0, 1)]
    expected = parallel.whole_state(jobs.trained("adam", 2 * jobs.BATCH))
    for worker in found:
        for new, old in zip(worker["whole"], expected, strict=True):
            np.testing.assert_allclose(new, old, atol=1e-5, rtol=0)
