"""The way into a guest as the user's own ssh would take it."""

from pathlib import Path

import asyncssh
import pytest

from console.errors import ConfigError
from console.guests.route import USUAL_USERS, Identity, find_route, load_identity, new_key


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an empty .ssh, and no agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def write_key(path: Path, passphrase: str | None = None) -> asyncssh.SSHKey:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(path, "pkcs8-pem" if passphrase else "openssh", passphrase=passphrase)
    return key


def test_without_anything_the_usual_names_are_tried(home: Path) -> None:
    route = find_route("web-1", ["10.0.0.4"], home=home)
    assert (route.addresses, route.port, route.users) == (("10.0.0.4",), 22, USUAL_USERS)
    assert route.identities == () and route.agent == ""
    assert route.known_hosts[0] == home / ".ssh" / "known_hosts"


def test_what_is_given_goes_before_the_config(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host 10.*\n  User conf\n  Port 2200\n")
    route = find_route("web-1", ["10.0.0.4"], users=["image"], home=home)
    assert (route.users, route.port) == (("image", "conf"), 2200)
    assert find_route("web-1", ["10.0.0.4"], port=99, home=home).port == 99
    assert find_route("web-1", ["192.0.2.1"], home=home).users == USUAL_USERS


def test_a_host_line_of_the_servers_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Host web-*\n  HostName %h.example.org\n  HostKeyAlias alias\n  IdentityFile ~/k\n  IdentitiesOnly yes\n"
    (home / ".ssh" / "config").write_text(text)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    route = find_route("web-1", ["10.0.0.4"], home=home)
    assert route.addresses == ("web-1.example.org", "10.0.0.4")
    assert route.alias == "alias"
    assert route.agent == ""
    assert find_route("db-1", ["10.0.0.4"], home=home).agent == "/agent"


@pytest.mark.parametrize("name", ["web-$(id)", "web-`id`", "web-1;id", "web-1 | id", "web-1\nid", "-oProxyCommand=id"])
def test_a_name_that_ssh_would_refuse_reaches_no_shell(home: Path, name: str) -> None:
    text = "Host web-* -o*\n  HostName %h.example.org\n  ProxyCommand nc %h %p\nHost 10.*\n  ProxyCommand relay %h\n"
    (home / ".ssh" / "config").write_text(text)
    assert find_route("web-1", ["10.0.0.4"], home=home).proxy == "nc web-1.example.org 22"
    assert find_route(name, ["10.0.0.4"], home=home).proxy == "relay 10.0.0.4"
    assert find_route("", [f"10.;{name}"], home=home).proxy == ""


def test_a_config_that_ssh_would_refuse(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host x\n  Port none\n")
    with pytest.raises(ConfigError, match="config cannot be used"):
        find_route("x", ["10.0.0.4"], home=home)


def test_keys_the_likeliest_first(home: Path) -> None:
    folder = home / ".ssh"
    usual, named = write_key(folder / "id_ed25519"), write_key(folder / "team.pem")
    asked = write_key(home / "asked")
    write_key(folder / "id_ecdsa", passphrase="secret")
    (folder / "id_rsa").write_text("nonsense")
    route = find_route("web-1", ["10.0.0.4"], key=home / "asked", key_name="team", home=home)
    assert [identity.key for identity in route.identities] == [asked, named, usual]
    assert [note.partition(" ")[2] for note in route.notes] == [
        "wants a passphrase: load it into an agent",
        "holds no private key",
    ]


def test_a_key_name_is_no_path(home: Path) -> None:
    write_key(home / "outside")
    assert find_route("web-1", ["10.0.0.4"], key_name="../outside", home=home).identities == ()


def test_keys_are_loaded_once_until_they_change(home: Path) -> None:
    path = home / "key"
    write_key(path)
    status = path.stat()
    first = load_identity(path, status.st_mtime_ns, status.st_size)
    assert isinstance(first, Identity)
    assert load_identity(path, status.st_mtime_ns, status.st_size) is first
    assert load_identity(path, status.st_mtime_ns + 1, status.st_size) is not first


def test_a_certificate_beside_its_key(home: Path) -> None:
    path = home / "key"
    key = write_key(path)
    authority = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_user_certificate(key, "me", principals=["root"])
    certificate.write_certificate(home / "key-cert.pub")
    found = load_identity(path, 1, 1)
    assert isinstance(found, Identity) and found.certificate is not None


def test_a_new_key_is_its_owners_alone(home: Path) -> None:
    path = home / "keys" / "new"
    public = new_key(path, "mine")
    assert public.startswith("ssh-ed25519 ") and public.endswith(" mine")
    assert path.stat().st_mode & 0o777 == 0o600
    assert asyncssh.read_private_key(path).convert_to_public() == asyncssh.import_public_key(public)
    with pytest.raises(FileExistsError):
        new_key(path, "mine")
