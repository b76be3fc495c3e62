"""What pip and uv write: how far they are, and what went wrong.

Jython 2.7, without a word of Java.
"""

PACKAGES = 75
"""About how many packages an environment has; only for the bar."""

_OFFLINE = ("failed to establish a new connection", "name or service not known", "temporary failure in name resolution",
            "getaddrinfo failed", "nodename nor servname", "network is unreachable", "connection refused",
            "connecttimeout", "readtimeout", "read timed out", "connection timed out", "connection reset", "proxyerror",
            "connection aborted", "error sending request", "dns error", "failed to fetch", "unknownhost",
            "no route to host", "newconnectionerror")
_CERTIFICATE = ("certificate_verify_failed", "sslerror", "invalid peer certificate")
_FULL = ("no space left on device", "errno 28", "winerror 112", "not enough space", "disk quota exceeded", "errno 122")
_FORBIDDEN = ("permission denied", "errno 13", "winerror 5]", "access is denied", "read-only file system")
_LONG = ("long path support", "file name too long", "errno 36", "winerror 206")
_NOT_FOUND = ("no matching distribution found", "could not find a version", "no solution found", "was not found in the")

OFFLINE, CERTIFICATE, NOT_FOUND = "offline", "certificate", "not found"
FULL, FORBIDDEN, LONG = "full", "forbidden", "long"
_KINDS = ((FULL, _FULL), (LONG, _LONG), (CERTIFICATE, _CERTIFICATE), (OFFLINE, _OFFLINE), (FORBIDDEN, _FORBIDDEN),
          (NOT_FOUND, _NOT_FOUND))


def kind_of(lines):
    """Which of the known problems the lines tell of; None if of none."""
    text = u"\n".join(lines).lower()
    for kind, marks in _KINDS:
        if any(mark in text for mark in marks):
            return kind
    return None


def reason_of(lines):
    """The line that says best what went wrong."""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if line.lower().startswith(("error", "fatal", "oserror"))]
    return (errors or said or [u"it said nothing"])[-1][:300]


def is_news(line):
    """True if a user may want to read the line."""
    return line.lstrip().startswith(("Collecting", "Downloading", "Installing", "Successfully", "Uninstalling", "ERROR",
                                     "WARNING", "error", "Using", "Resolved", "Prepared", "Installed", "Processing"))


def short(line):
    """What a line tells a user: the package, not who asked for it."""
    text = line.strip()
    return text.split(":")[0] if text.startswith("Installing collected") else text.split(" (")[0]


class Progress(object):
    """How far an installation is, from 0 to 100, by its lines."""

    def __init__(self):
        self._packages = 0
        self.done = 0

    def take(self, line):
        """Look at a line."""
        word = line.lstrip().split(" ")[0]
        if word == "Collecting":
            self._packages += 1
            self.done = max(self.done, min(60, 60 * self._packages // PACKAGES))
        elif line.startswith("Installing collected") or word == "Prepared":
            self.done = 65
        elif line.startswith("Successfully installed") or word == "Installed":
            self.done = 100
