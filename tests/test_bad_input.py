"""Bad input, given to the command in a process of its own: one clear sentence, the right exit code, no traceback.

Each sentence names the file and line, or the cloud; what is wrong with one cloud leaves the others at work.
"""

import asyncio
import datetime as dt
import ipaddress
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from console.sim.estate import Estate

NOVADECK = Path(sys.executable).with_name("novadeck")
BOTH = ("server", "list", "--os-cloud", "bad,good", "-f", "value", "-c", "place")
Change = Callable[[dict[str, Any]], Any]


class Said(NamedTuple):
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


class User:
    """Somebody with folders of their own, and with a good cloud."""

    def __init__(self, home: Path, good: dict[str, Any]) -> None:
        self.home, self.good = home, good
        self.clouds_yaml = home / "clouds.yaml"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "NOVADECK_", "XDG_"))}
        folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE")}
        self.environment = kept | folders | {"HOME": str(home), "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml)}

    def write(self, change: Change) -> None:
        """A clouds.yaml with the good cloud, and a bad one that differs from it by this."""
        bad: dict[str, Any] = yaml.safe_load(yaml.safe_dump(self.good))
        change(bad)
        self.clouds_yaml.write_text(yaml.safe_dump({"clouds": {"good": self.good, "bad": bad}}))

    async def run(self, *words: str) -> Said:
        """Run novadeck to its end, with nobody at its input."""
        process = await asyncio.create_subprocess_exec(
            str(NOVADECK),
            *words,
            cwd=self.home,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        said = Said(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in said.err, said.err
        return said


@pytest.fixture
async def user(tmp_path: Path) -> AsyncIterator[User]:
    async with Estate(servers=4, clouds=1, regions=1, guests=0) as estate:
        yield User(tmp_path, next(iter(estate.clouds_yaml()["clouds"].values())))


def sentence(said: Said) -> str:
    """The one sentence that was said."""
    (line,) = said.err.splitlines()
    assert line.startswith("novadeck: ")
    assert re.search(r"\.( \(req-[-0-9a-f]+\))?$", line)
    return line.removeprefix("novadeck: ")


def assert_others_work(said: Said) -> None:
    """Some of many failed, and all that was printed is of the good cloud."""
    assert said.code == 4, said
    assert {line.partition("/")[0] for line in said.out.split()} == {"good"}


async def test_a_syntax_error_in_clouds_yaml(user: User) -> None:
    user.clouds_yaml.write_text("clouds:\n  good:\n    auth: {auth_url: [1,\n    region_name: x\n")
    said = await user.run("server", "list", "--os-cloud", "good")
    assert (said.code, said.out) == (1, "")
    assert re.match(rf"{re.escape(str(user.clouds_yaml))}, line 5, column 1: ", sentence(said))


async def test_an_unknown_cloud(user: User) -> None:
    user.write(lambda bad: None)
    said = await user.run("server", "list", "--os-cloud", "nosuch,good", "-f", "value", "-c", "place")
    assert_others_work(said)
    assert re.search(r"no cloud named nosuch.*bad", sentence(said))
    alone = await user.run("server", "list", "--os-cloud", "nosuch")
    assert (alone.code, alone.out) == (1, "")
    assert "no cloud named nosuch" in sentence(alone)


async def test_a_wrong_password(user: User) -> None:
    user.write(lambda bad: bad["auth"].update(password="not-the-one"))
    said = await user.run(*BOTH)
    assert_others_work(said)
    assert re.match(r"bad(/\S+)?: .*refuses the login", sentence(said))
    assert said.err.count("req-") == 1
    assert "not-the-one" not in said.err


async def test_an_entry_that_lacks_its_address(user: User) -> None:
    user.write(lambda bad: bad["auth"].pop("auth_url"))
    said = await user.run(*BOTH)
    assert_others_work(said)
    assert re.search(r"\bbad\b.*auth_url", sentence(said))


async def test_a_cloud_that_is_not_there(user: User) -> None:
    user.write(lambda bad: bad["auth"].update(auth_url="http://127.0.0.1:9/v3"))
    said = await user.run(*BOTH)
    assert_others_work(said)
    assert re.match(r"bad(/\S+)?: .*127\.0\.0\.1:9", sentence(said))


async def test_an_untrusted_certificate(user: User) -> None:
    async with site(user.home) as (port, heard):
        user.write(lambda bad: bad["auth"].update(auth_url=f"https://127.0.0.1:{port}/v3"))
        said = await user.run(*BOTH)
    assert_others_work(said)
    assert re.match(rf"bad(/\S+)?: .*certificate of https://127\.0\.0\.1:{port}\S* is not trusted", sentence(said))
    assert heard == []


async def test_no_clouds_at_all(user: User) -> None:
    del user.environment["OS_CLIENT_CONFIG_FILE"]
    said = await user.run("server", "list")
    assert (said.code, said.out) == (1, "")
    assert sentence(said).startswith("No cloud is configured. Looked for ")
    assert str(user.home / "config" / "openstack" / "clouds.yaml") in said.err
    assert "novadeck demo" in said.err


async def test_a_mistake_in_the_settings(user: User) -> None:
    user.write(lambda bad: None)
    file = user.home / "config" / "novadeck" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('theme = "vellum"\nread_onyl = true\n')
    said = await user.run("server", "list", "--os-cloud", "good")
    assert (said.code, said.out) == (1, "")
    assert sentence(said) == f"{file}, line 2: nothing is known by the name of read_onyl."


async def test_a_state_folder_that_cannot_be_written(user: User) -> None:
    """One can look; nothing can be done that could not be written down. /proc is read-only for root as well."""
    user.write(lambda bad: None)
    user.environment["XDG_STATE_HOME"] = "/proc/novadeck"
    here = ("--os-cloud", "good")
    said, watched = await asyncio.gather(
        user.run("server", "list", *here, "--status", "ACTIVE", "-f", "value", "-c", "id"),
        user.run("watch", "server", *here, "--timeout", "3"),
    )
    assert (said.code, said.err) == (0, "")
    assert watched.code == 0, watched
    done = await user.run("server", "reboot", said.out.split()[0], *here)
    assert done.code == 1
    assert re.search(r"/proc/novadeck/\S+ cannot be written: .*Nothing was sent", sentence(done))


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A web site on loopback with a certificate that nobody vouches for: its port, and what it was told."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(folder / "site.pem"))
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # a handshake that is broken off
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1], heard


def self_signed(file: Path) -> Path:
    """A key and a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return file
