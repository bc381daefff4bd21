"""A Postfix of our own: takes mail over STARTTLS and relays all of it to the sandbox's sink."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.real.parts import POSTFIX, free_port, listens, running

# Its daemons open what is in data_directory without root's rights, and pytest keeps its folders
# from everybody else; seen from the queue, where the daemons are, the way there is free.
_MAIN = """
compatibility_level = 3.6
config_directory = {here}/conf
queue_directory = {here}/queue
data_directory = ../data
maillog_file = {here}/mail.log
maillog_file_prefixes = {here}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example.com
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
relayhost = [127.0.0.1]:{sink}
disable_dns_lookups = yes
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {here}/certificate.pem
tls_random_source = dev:/dev/urandom
"""
# Debian's master.cf without what a relay does not need, and without chroot.
_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""
_SOCKETS = ("private", "public")
_QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop saved trace"


class Postfix:
    """
    An instance in a directory; it may be run again and again, and its queue stays.

    *settings* are more lines of its main.cf.
    """

    def __init__(self, directory: Path, sink: int, **settings: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.authority = directory / "authority.pem"
        self._log = directory / "mail.log"
        self._make_folders()
        self._make_certificate()
        places = {"here": directory, "port": self.port, "sink": sink}
        main = [_MAIN.format(**places), *(f"{name} = {value}" for name, value in settings.items())]
        (directory / "conf/main.cf").write_text("\n".join(main), "utf-8")
        (directory / "conf/master.cf").write_text(_SERVICES.format(**places), "utf-8")

    @contextlib.contextmanager
    def run(self, *, kill: bool = False) -> Iterator[None]:
        """Run it for the time of the block; with *kill* it and all its children die by SIGKILL."""
        command = POSTFIX.command("-c", str(self.directory / "conf"), "-s")
        with running(command, self._log, lambda: listens(self.port), kill=kill):
            yield

    def _make_folders(self) -> None:
        for name in ("conf", "queue/pid"):
            (self.directory / name).mkdir(parents=True)
        for name in ("data", *(f"queue/{name}" for name in (*_QUEUES.split(), *_SOCKETS))):
            (self.directory / name).mkdir(mode=0o700)
            shutil.chown(self.directory / name, "postfix")

    def _make_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        certificate.write_to_path(self.directory / "certificate.pem")
