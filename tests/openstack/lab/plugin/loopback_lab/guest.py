"""A server's guest: a real OpenSSH sshd on the server's own addresses.

Each guest is one small process tree in process and host name namespaces of
its own (`unshare`), so that `hostname` and `ps` tell where one is, and that
pulling the plug ends all that runs in it.  Its "disk" is a folder,
$LAB_GUESTS/<uuid>: host keys, authorized keys, console log, and a /srv of the
guest's own.  Files that it is ordered with are written there, as cloud-init
writes what the user data says and as Nova writes a personality; all else in
a guest is this machine's, so files elsewhere are written nowhere.

Needs root, sshd and unshare; where one is missing, a server has only its
console log.  A server's metadata (or LAB_... in the environment, for all)
change how its guest behaves:

    lab_ssh=no           no sshd: the port refuses
    lab_ssh=silent       the port accepts and says nothing
    lab_ssh_delay=20     sshd comes up 20 seconds after power-on
    lab_hostkey=lie      the console shows other host keys than sshd has
    lab_files_delay=20   the files come 20 seconds after power-on
"""

import base64
import email
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import psutil
import yaml

FOLDER = pathlib.Path(os.environ.get("LAB_GUESTS", "/nonexistent"))
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
# In there, give the guest its name and its /srv, wait, finish the boot text, go on as sshd.
NAMESPACES = ["unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
BOOT = """\
hostname "$1"
mount --bind "$3/srv" /srv
write() { sleep "$1"; cp -a "$2/ordered/." "$2/srv/" && rm -r "$2/ordered"; }
if [ ! -d "$3/ordered" ]; then :; elif [ "$4" = 0.0 ]; then write 0 "$3"; else write "$4" "$3" & fi
sleep "$2"
cat "$3/booted" >>"$3/console.log"
shift 4
exec "$@"
"""
SILENT = "import socket, sys, time; s = [socket.create_server((a, 22)) for a in sys.argv[2:]]; time.sleep(1e9)"
KEY_TYPES = ("ecdsa", "ed25519")  # an rsa key takes a second to make

SSHD_CONFIG = """\
Port 22
AuthorizedKeysFile {folder}/authorized_keys
Banner {folder}/banner
SetEnv NOVADECK_GUEST={uuid} NOVADECK_NAME={hostname} NOVADECK_DISK={folder}
Subsystem sftp internal-sftp
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers root
StrictModes no
UsePAM no
UseDNS no
PidFile none
PrintMotd no
"""
KERNEL = """
[    0.000000] Linux version {release} (loopback lab)
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro console=tty0 console=ttyS0
[    1.204511] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.
[    2.731020] systemd[1]: Hostname set to <{hostname}>.
[    4.018224] cloud-init[412]: Cloud-init v. 22.4.2 running 'init' at {when}. Up 4.02 seconds.
"""
FINISHED = """\
[    6.118224] cloud-init[498]: Cloud-init v. 22.4.2 finished at {when}. \
Datasource DataSourceOpenStack [net,ver=2].  Up 6.12 seconds

Debian GNU/Linux 12 {hostname} ttyS0

{hostname} login: """


def knob(instance, name, default=""):
    """What was asked for this server, else for all of them."""
    return instance.metadata.get(f"lab_{name}", os.environ.get(f"LAB_{name.upper()}", default))


def possible():
    return bool(
        SSHD and os.geteuid() == 0 and subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode == 0
    )


class Guest:
    possible = possible()

    def __init__(self, uuid):
        self.uuid = uuid
        self.folder = FOLDER / uuid
        file = self.folder / "guest.json"
        self.record = json.loads(file.read_text()) if file.exists() else {}

    @classmethod
    def all_of(cls, host):
        guests = [cls(file.parent.name) for file in FOLDER.glob("*/guest.json")]
        return [guest for guest in guests if guest.record["host"] == host]

    def save(self, **changes):
        """Note what a host must know to go on with this guest after its own restart."""
        if self.folder.exists():
            self.record.update(changes)
            (self.folder / "guest.json").write_text(json.dumps(self.record))

    # -------------------------------------------------------------- its disk

    def make(self, instance, files=None):
        """A new disk: new host keys, the authorized key, the injected files."""
        self.remove()
        self.folder.mkdir(parents=True, mode=0o700)
        self.record = {}
        (self.folder / "authorized_keys").write_text((instance.key_data or "").strip() + "\n")
        (self.folder / "banner").write_text(f"{instance.hostname} ({self.uuid}), a guest of the novadeck lab\n")
        if instance.user_data:
            (self.folder / "user-data").write_bytes(base64.b64decode(instance.user_data))
        srv, ordered = self.folder / "srv", self.folder / "ordered"
        srv.mkdir(mode=0o755)
        (srv / "motd").write_text("Welcome to the lab\n")
        given = [
            (path, content if isinstance(content, bytes) else content.encode(), "0644") for path, content in files or ()
        ]
        for path, content, mode in [*given, *written(instance.user_data)]:
            if not path.startswith("/srv/") or ".." in path:
                continue
            there, file = srv / path.removeprefix("/srv/"), ordered / path.removeprefix("/srv/")
            if there.exists() and mode != "0644":  # what our orders tell cloud-init to do first
                there.rename(f"{there}.bak.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            file.chmod(int(mode, 8))

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def host_keys(self, which, hostname):
        """The key pairs of that name, made if need be; and were they made just now?"""
        folder = self.folder / which
        keys = [folder / f"ssh_host_{kind}_key" for kind in KEY_TYPES]
        if folder.exists():
            return keys, False
        folder.mkdir()
        for kind, key in zip(KEY_TYPES, keys, strict=True):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{hostname}", "-f", key], check=True)
        return keys, True

    # ------------------------------------------------------------- its power

    def processes(self):
        """All of the guest's processes, the outermost first; none if it is off."""
        try:
            main = psutil.Process(int((self.folder / "pid").read_text()))
            if str(self.folder) in " ".join(main.cmdline()):
                return [main, *main.children(recursive=True)]
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            pass
        return []

    def signal(self, number):
        """To all but the outermost process, which only waits for the others to end."""
        processes = self.processes()
        for process in processes[1:]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                pass
        return processes

    def stop(self):
        for outermost in self.signal(signal.SIGKILL)[:1]:
            try:
                outermost.wait(timeout=5)
            except psutil.TimeoutExpired:
                outermost.kill()

    def boot(self, instance, network_info=None, disk="keys"):
        """Power on, off first if need be.  disk="rescue": from the rescue image."""
        self.stop()
        if network_info:
            self.save(addresses=addresses(network_info))
        hostname = instance.hostname or "guest"
        when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
        words = {
            "hostname": hostname,
            "uuid": self.uuid,
            "folder": self.folder,
            "when": when,
            "release": os.uname().release,
        }
        self.console(KERNEL.format(**words))
        if not self.possible:
            self.console(FINISHED.format(**words))
            return
        keys, first = self.host_keys(disk, hostname)
        shown = self.host_keys("lie", hostname)[0] if knob(instance, "hostkey") == "lie" else keys
        booted = (cloud_init(shown, instance.key_data) if first else "") + FINISHED.format(**words)
        (self.folder / "booted").write_text(booted)
        # Never beyond the loopback, whatever network the server is in.
        listen = [a for a in self.record.get("addresses", ()) if ipaddress.ip_address(a).is_loopback]
        lines = [f"ListenAddress {a}" for a in listen] + [f"HostKey {key}" for key in keys]
        (self.folder / "sshd_config").write_text(SSHD_CONFIG.format(**words) + "\n".join(lines) + "\n")
        command = [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"]
        if knob(instance, "ssh") == "no" or not listen:
            command = ["sleep", "infinity"]
        elif knob(instance, "ssh") == "silent":
            command = [sys.executable, "-c", SILENT, "silent", *listen]
        delay, late = (str(float(knob(instance, name, "0"))) for name in ("ssh_delay", "files_delay"))
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "sshd.log").open("a") as log:
            process = subprocess.Popen(
                [*NAMESPACES, "sh", "-c", BOOT, "guest", hostname, delay, self.folder, late, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        (self.folder / "pid").write_text(f"{process.pid}\n")

    # ----------------------------------------------------------- its console

    def console(self, text=""):
        """Write to the console log; what is in it all in all."""
        file = self.folder / "console.log"
        if text and self.folder.exists():
            with file.open("a") as log:
                log.write(text)
        return file.read_bytes() if file.exists() else b""


def written(user_data):
    """The files that cloud-init writes by this user data: path, contents and mode of each."""
    document = email.message_from_bytes(base64.b64decode(user_data or ""))
    parts = [part.get_payload(decode=True) or b"" for part in document.walk() if not part.is_multipart()]
    for part in parts if document.is_multipart() else [base64.b64decode(user_data or "")]:
        config = yaml.safe_load(part) if part.startswith(b"#cloud-config") else None
        for row in (config or {}).get("write_files") or ():
            content = str(row.get("content") or "").encode()
            content = base64.b64decode(content) if row.get("encoding") == "b64" else content
            yield row["path"], content, str(row.get("permissions") or "0644")


def addresses(network_info):
    """Fixed and floating addresses of all network cards, IPv4 only."""
    fixed = [ip for vif in network_info for ip in vif.fixed_ips()]
    floating = [f for ip in fixed for f in ip.get("floating_ips", ())]
    return [ip["address"] for ip in fixed + floating if ip["version"] == 4]


def cloud_init(keys, authorized):
    """What cloud-init's write-ssh-key-fingerprints puts on the console, at a first boot."""
    public = [key.with_suffix(".pub") for key in keys]
    stamp = time.strftime("<14>%b %e %H:%M:%S cloud-init: ", time.gmtime())
    fingerprints = [
        subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, text=True, check=True).stdout.strip()
        for file in public
    ]
    lines = [] if authorized else ["ci-info: no authorized SSH keys fingerprints found for user root."]
    lines += [
        stamp + line
        for line in (
            "#" * 61,
            "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
            *fingerprints,
            "-----END SSH HOST KEY FINGERPRINTS-----",
            "#" * 61,
        )
    ]
    lines.append("-----BEGIN SSH HOST KEY KEYS-----")
    lines += [file.read_text().strip() for file in public]
    lines.append("-----END SSH HOST KEY KEYS-----")
    return "\n".join(lines) + "\n"
