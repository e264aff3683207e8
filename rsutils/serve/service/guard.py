"""Who may call: no page of another site in a visitor's browser, and no stranger's swap of models.

A browser lets any page send requests to 127.0.0.1. A page of another site shows itself by its
``Origin``; a name that was pointed at 127.0.0.1 after the page had loaded (DNS rebinding) shows
itself by its ``Host``.
"""

import hmac
import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from rsutils.serve.service.limits import RefusedError, Scope, header

SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Refuses foreign hosts and origins, and swaps of models without leave.

    Args:
        host: to which the service is bound.
        token: that whoever swaps models must show; None for nobody but callers from this machine,
            and these only where the service is bound to it alone.
    """

    def __init__(self, host: str, token: str | None = None) -> None:
        self._loopback, self._token = is_loopback(host), token

    def check(self, scope: Scope) -> RefusedError | None:
        """Why a request may not enter, or None."""
        host = origin = site = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    return RefusedError(403, "There are two Host headers; expected one.")
                host = value
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
        if self._loopback and host is not None and not _names_this_machine(host):
            return RefusedError(
                403, f"Host is {_text(host)!r}; expected 127.0.0.1, localhost or [::1]."
            )
        if scope["method"] in SAFE:
            return None
        if site is not None and site not in (b"same-origin", b"none"):
            return RefusedError(403, "The request comes from a page of another site.")
        if origin is not None and not _same_site(origin, host):
            return RefusedError(403, f"Origin is {_text(origin)!r}; expected this service's own.")
        return None

    def check_curious(self, scope: Scope) -> None:
        """Let through who may see what users took: this machine's, or whoever has the token.

        Raises:
            RefusedError: (403) the caller may not.
        """
        if not self._loopback:
            self.check_leave(scope)

    def check_leave(self, scope: Scope) -> None:
        """Let through who may swap models.

        Raises:
            RefusedError: (403) the caller may not.
        """
        if self._token is not None:
            shown = header(scope["headers"], b"authorization") or ""
            kind, _, given = shown.partition(" ")
            right = hmac.compare_digest(given.strip().encode(), self._token.encode())
            if kind.lower() == "bearer" and right:
                return
            raise RefusedError(
                403, "The token is missing or wrong; expected Authorization: Bearer."
            )
        client = scope.get("client")
        if self._loopback and client is not None and is_loopback(client[0]):
            return
        raise RefusedError(
            403,
            "This is for callers of a service that listens to its own machine only; set "
            "RSUTILS_ADMIN_TOKEN for others.",
        )


def is_loopback(host: str) -> bool:
    """Whether an address or a name stands for this machine alone.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=64)
def _names_this_machine(host: bytes) -> bool:
    try:
        return is_loopback(urlsplit(f"//{_text(host)}").hostname or "")
    except ValueError:
        return False


def _same_site(origin: bytes, host: bytes | None) -> bool:
    try:
        parts = urlsplit(_text(origin))
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == _text(host or b"")


def _text(value: bytes) -> str:
    return value.decode("latin-1")
