"""A real Redis server for tests: started, killed, frozen, and started again on its port."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

PROGRAM = shutil.which("redis-server")
REASON = "needs redis-server (Debian, Ubuntu: apt-get install redis-server)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """One server in a folder of its own, which keeps its data there where it is asked to."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.folder, self.password = folder, password
        self.port = free_port()
        secret = f":{password}@" if password else ""
        self.url = f"redis://{secret}127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen | None = None
        self.start()

    def start(self, keep: bool = False) -> None:
        """Start on the port; with what ``stop(keep=True)`` wrote, or empty."""
        dump = self.folder / "dump.rdb"
        if not keep:
            dump.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *(PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder),
                *("--save", "", "--appendonly", "no", "--daemonize", "no"),
                *(["--requirepass", self.password] if self.password else []),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()

    def kill(self) -> None:
        """End it without warning; what it knew is lost."""
        self._process.kill()
        self._process.wait()

    def stop(self, keep: bool = False) -> None:
        """End it in order, with its data on disk where asked to."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            if keep:
                with self.client() as client:
                    client.save()
            self._process.terminate()
            self._process.wait(timeout=10)

    def freeze(self) -> None:
        """Let it hang: connections are accepted, and nothing is answered."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=self.password or None, decode_responses=True)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.RedisError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
