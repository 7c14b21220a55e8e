"""What a server's serial console shows: a kernel's few lines, and cloud-init's words with the host keys.

The marks and prefixes are those of cloud-init's own scripts: the fingerprints carry a syslog prefix, the block of
keys carries none, and both come once, at the first boot of a disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from console.sim.clock import Clock

CONSOLE_KEYS = ("-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----")


class PublicKey(Protocol):
    """As much of a host key as a console shows."""

    def export_public_key(self) -> bytes: ...

    def get_fingerprint(self) -> str: ...


def boot_text(hostname: str, clock: Clock) -> str:
    """A later boot: no keys are shown again."""
    return _kernel(hostname, clock.now()) + _finished(hostname, clock.now(), "Linux")


def first_boot_text(hostname: str, keys: Sequence[PublicKey], clock: Clock, image: str, at: float | None = None) -> str:
    """The first boot of a disk, with the fingerprints and the keys of its SSH server."""
    moment = datetime.fromtimestamp(at, UTC) if at else clock.now()
    stamp = f"<14>{moment:%b %d %H:%M:%S} cloud-init: "
    lines = [f"{stamp}#############################################################"]
    lines.append(f"{stamp}-----BEGIN SSH HOST KEY FINGERPRINTS-----")
    publics = [key.export_public_key().decode().strip() for key in keys]
    for key, public in zip(keys, publics, strict=True):
        kind = "ECDSA" if public.startswith("ecdsa") else "ED25519"
        lines.append(f"{stamp}256 {key.get_fingerprint()} root@{hostname} ({kind})")
    lines.append(f"{stamp}-----END SSH HOST KEY FINGERPRINTS-----")
    lines.append(f"{stamp}#############################################################")
    lines += [CONSOLE_KEYS[0], *publics, CONSOLE_KEYS[1]]
    return _kernel(hostname, moment) + "\n".join(lines) + "\n" + _finished(hostname, moment, image)


def _kernel(hostname: str, moment: datetime) -> str:
    return (
        "\n[    0.000000] Linux version 6.1.0-18-cloud-amd64 (debian-kernel@lists.debian.org)\n"
        "[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro console=tty0 console=ttyS0\n"
        "[    1.204511] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.\n"
        f"[    2.731020] systemd[1]: Hostname set to <{hostname}>.\n"
        f"[    4.018224] cloud-init[412]: Cloud-init v. 22.4.2 running 'init' at "
        f"{moment:%a, %d %b %Y %H:%M:%S +0000}. Up 4.02 seconds.\n"
    )


def _finished(hostname: str, moment: datetime, image: str) -> str:
    return (
        f"[    6.118224] cloud-init[498]: Cloud-init v. 22.4.2 finished at {moment:%a, %d %b %Y %H:%M:%S +0000}. "
        "Datasource DataSourceOpenStack [net,ver=2].  Up 6.12 seconds\n"
        f"\n{image} {hostname} ttyS0\n\n{hostname} login: "
    )
