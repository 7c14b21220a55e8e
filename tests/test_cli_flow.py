"""The command line on the embedded cloud, over real HTTP: what is read, what is done, what is told, and exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.cli.demo import beside
from console.cli.main import main

ROOT = Path(__file__).parent.parent
ESTATE = {"servers": 12, "clouds": 2, "regions": 2, "guests": 8, "speed": 20, "seed": 3, "guest_port": 22122}


@pytest.fixture(scope="module")
def clouds_yaml() -> Iterator[Path]:
    """An embedded cloud in another process."""
    with beside(ESTATE) as path:
        yield path


class Shell:
    """Runs commands in this process, as a user with folders of its own."""

    def __init__(self, capfd: pytest.CaptureFixture[str], clouds_yaml: Path) -> None:
        self.capfd = capfd
        self.clouds_yaml = clouds_yaml
        self.err = ""
        self.code = -1

    def run(self, *words: str) -> str:
        """What the command printed; its exit code and its stderr are kept."""
        self.capfd.readouterr()
        self.code = main(list(words))
        out, self.err = self.capfd.readouterr()
        assert "Traceback" not in self.err
        return out

    def ok(self, *words: str) -> str:
        """The same for a command that must succeed."""
        out = self.run(*words)
        assert self.code == 0, self.err
        return out

    def json(self, *words: str) -> Any:
        """The JSON that a command that must succeed printed."""
        return json.loads(self.ok(*words, "-f", "json"))


@pytest.fixture
def shell(
    clouds_yaml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    for name in [name for name in os.environ if name.startswith(("OS_", "NOVADECK_"))]:
        monkeypatch.delenv(name)
    for folder in ("CONFIG_HOME", "STATE_HOME", "RUNTIME_DIR", "CACHE_HOME"):
        monkeypatch.setenv(f"XDG_{folder}", str(tmp_path / folder))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml))
    monkeypatch.setenv("OS_CLOUD", "lab")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return Shell(capfd, clouds_yaml)


@pytest.fixture
def server(shell: Shell) -> Iterator[str]:
    """The name of a server of the test's own."""
    name = f"cli-{time.monotonic_ns()}"
    shell.ok("server", "create", name, "--image", "debian-12", "--flavor", "m1.tiny", "--key-name", "demo", "--wait")
    yield name
    shell.run("server", "delete", name, "--yes")


@pytest.fixture
def resting(shell: Shell) -> str:
    """The id of a server that was there before, is ACTIVE, and may be acted on."""
    rows = shell.json("server", "list", "--long", "--status", "ACTIVE")
    return str(next(row["id"] for row in rows if not row["task_state"] and not row["locked"]))


# Reading


def test_lists_of_several_clouds_in_every_form(shell: Shell) -> None:
    rows = shell.json("server", "list", "--os-cloud", "lab", "--os-cloud", "nimbus")
    assert {row["place"].partition("/")[0] for row in rows} == {"lab", "nimbus"}
    assert list(rows[0]) == ["id", "name", "status", "task_state", "address", "flavor", "image", "place"]
    assert [row["name"] for row in rows] == sorted((row["name"] for row in rows), key=str.casefold)
    assert all(row["status"] != "UNKNOWN" for row in rows)
    several = ("server", "list", "--os-cloud", "lab,nimbus", "-c", "name", "-c", "id")
    names = [row["name"] for row in rows]
    assert [row["name"] for row in csv.DictReader(io.StringIO(shell.ok(*several, "-f", "csv")))] == names
    assert [row["name"] for row in yaml.safe_load(shell.ok(*several, "-f", "yaml"))] == names
    assert [json.loads(line)["name"] for line in shell.ok(*several, "-f", "ndjson").splitlines()] == names
    assert [line.split()[0] for line in shell.ok(*several, "-f", "value").splitlines()] == names
    assert [line.split()[0] for line in shell.ok(*several).splitlines()] == ["NAME", *names]
    assert shell.err == ""


def test_filters_are_sent_by_name_and_the_unknown_ones_said(shell: Shell) -> None:
    rows = shell.json("server", "list")
    image, flavor = next((row["image"], row["flavor"]) for row in rows if row["image"] and row["status"] == "ACTIVE")
    wanted = {row["id"] for row in rows if (row["image"], row["flavor"], row["status"]) == (image, flavor, "ACTIVE")}
    found = shell.json("server", "list", "--image", image, "--flavor", flavor, "--status", "active")
    assert {row["id"] for row in found} == wanted
    name = rows[0]["name"]
    assert name in [row["name"] for row in shell.json("server", "list", "--name", name)]
    assert shell.json("server", "list", "--status", "SHELVED", "--name", "nothing") == []
    shell.run("server", "list", "--image", "debian-21")
    assert shell.code == 1
    assert "There is no image 'debian-21'. Did you mean 'debian-1" in shell.err


def test_images_are_base_or_snapshots(shell: Shell) -> None:
    every = {row["id"] for row in shell.json("image", "list", "--os-cloud", "nimbus,lab")}
    base = {row["id"] for row in shell.json("image", "list", "--os-cloud", "nimbus,lab", "--base")}
    made = {row["id"] for row in shell.json("image", "list", "--os-cloud", "nimbus,lab", "--snapshots")}
    assert base
    assert made
    assert base | made == every
    assert not base & made
    shell.run("image", "list", "--base", "--snapshots")
    assert shell.code == 2


def test_flavors_are_sorted_by_numbers(shell: Shell) -> None:
    rams = [row["ram"] for row in shell.json("flavor", "list", "--sort-column", "-ram")]
    assert rams == sorted(rams, reverse=True)
    assert shell.ok("keypair", "list", "-f", "value", "-c", "name").split() == ["demo"]


def test_show_tells_all_and_some_of_many_is_exit_code_4(shell: Shell) -> None:
    name = shell.json("server", "list")[0]["name"]
    told = shell.json("server", "show", name)
    assert told["name"] == name
    assert {"id", "status", "flavor", "created", "cloud", "region", "metadata"} <= told.keys()
    assert "FIELD" in shell.ok("server", "show", told["id"])
    out = shell.run("server", "show", name, "nosuch", "-f", "json", "-c", "name")
    assert shell.code == 4
    assert json.loads(out) == [{"name": name}]
    assert "nosuch" in shell.err


def test_find_and_console_log(shell: Shell) -> None:
    row = next(row for row in shell.json("server", "list") if row["address"] and row["status"] == "ACTIVE")
    (hit,) = shell.json("find", row["address"])
    assert (hit["id"], hit["match"].split()[:2]) == (row["id"], ["address", row["address"]])
    shell.run("find", "192.0.2.200")
    assert (shell.code, shell.err) == (1, "novadeck: No server has 192.0.2.200.\n")
    assert len(shell.ok("console", "log", "show", row["id"], "--lines", "2").splitlines()) <= 2


def test_all_projects_have_their_column(shell: Shell) -> None:
    rows = shell.json("server", "list", "--os-cloud", "lab-admin", "--all-projects")
    assert rows
    assert all(row["project_id"] for row in rows)
    own = shell.json("server", "list", "--os-cloud", "lab-admin")
    assert len(own) < len(rows)


def test_debug_traces_the_calls_and_masks_what_is_secret(shell: Shell) -> None:
    out = shell.ok("server", "list", "--debug", "--timing", "-f", "json")
    assert json.loads(out)
    assert "GET http://127.0.0.1:" in shell.err
    assert "X-Auth-Token: ••••" in shell.err
    assert "lab-secret" not in shell.err
    assert "s of CPU" in shell.err


def test_a_list_loads_neither_the_screen_nor_ssh_nor_the_actions(shell: Shell) -> None:
    code = """if True:
        import sys
        from console.cli.main import main
        main(["server", "list"])
        print(*sys.modules, file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "console.session" in loaded
    assert loaded.isdisjoint({"textual", "rich", "asyncssh", "console.actions.action", "console.tui", "console.sim"})


# Acting


def test_a_servers_life_each_step_to_its_end(shell: Shell, server: str) -> None:
    told = shell.json("server", "reboot", server, "--wait")
    assert (told["ok"], told["result"], told["status"]) == (True, "done", "ACTIVE")
    assert f"{server}: REBOOT" in shell.err
    assert shell.json("server", "reboot", server, "--hard", "--wait")["action"] == "server.hard_reboot"
    assert shell.json("server", "resize", server, "--flavor", "m1.small", "--wait")["status"] == "VERIFY_RESIZE"
    assert shell.json("server", "resize", "revert", server, "--wait")["status"] == "ACTIVE"
    shell.ok("server", "resize", server, "--flavor", "m1.small", "--wait")
    assert shell.json("server", "resize", "confirm", server, "--wait")["status"] == "ACTIVE"
    assert shell.json("server", "show", server)["flavor"]["name"] == "m1.small"
    image = shell.json("server", "image", "create", server, "--name", f"{server}-image", "--wait")
    assert shell.json("image", "show", image["id"])["status"] == "active"
    assert shell.json("server", "delete", server, "--yes", "--wait")["status"] == "gone"
    shell.run("server", "show", server)
    assert shell.code == 1


def test_a_new_servers_password_is_told_once_and_written_nowhere(shell: Shell, tmp_path: Path) -> None:
    told = shell.json("server", "create", "cli-pass", "--image", "debian-12", "--flavor", "m1.tiny")
    assert told["admin_pass"]
    assert told["result"] == "accepted"
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert "server.create" in written
    assert told["admin_pass"] not in written
    shell.ok("server", "delete", "cli-pass", "--yes")


def test_the_password_of_a_server_that_is_late_is_told_all_the_same(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    order = ("server", "create", "late", "--image", "debian-12", "--flavor", "m1.tiny", "--wait", "--timeout", "0")
    made = json.loads(shell.run(*order, "--password-file", str(file), "-f", "json"))
    assert shell.code == 3 and "did not come within 0 s" in shell.err
    assert (made["ok"], made["result"]) == (False, "failed") and "admin_pass" not in made
    id, password = file.read_text().split()
    assert id == made["id"] and len(password) > 6
    shell.ok("server", "delete", id, "--yes", "--wait")


def test_no_file_for_passwords_is_left_where_nothing_was_ordered(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    order = ("server", "create", "never", "--image", "no-such-image", "--flavor", "m1.tiny")
    assert shell.run(*order, "--password-file", str(file)) == "" and shell.code == 1
    assert not file.exists()


def test_a_column_that_there_is_not_is_said_before_anything_is_sent(shell: Shell, resting: str) -> None:
    assert shell.run("server", "lock", resting, "-c", "nonsense") == ""
    assert shell.code == 2 and "no column 'nonsense'" in shell.err
    (audit,) = [*Path(os.environ["XDG_STATE_HOME"]).rglob("audit*")] or [None]
    assert audit is None
    assert shell.json("server", "show", resting, "-c", "locked") == {"locked": False}


def test_what_is_refused_is_said_before_it_is_sent(shell: Shell, resting: str) -> None:
    shell.run("server", "resize", "confirm", resting)
    assert shell.code == 1
    assert "There is no resize to confirm." in shell.err
    shell.run("server", "reboot", resting, "--read-only")
    assert (shell.code, "read-only" in shell.err) == (1, True)
    shell.run("server", "reboot", resting, "nosuch")
    assert (shell.code, "nosuch" in shell.err) == (1, True)
    assert shell.json("server", "show", resting)["task_state"] is None
    out = shell.ok("server", "reboot", resting, "--dry-run")
    assert out.startswith("would do: reboot ")
    assert resting in out


def test_what_destroys_needs_yes_where_nobody_can_be_asked(shell: Shell, resting: str) -> None:
    shell.run("server", "delete", resting)
    assert (shell.code, shell.err) == (2, "novadeck: server delete needs --yes where nobody can be asked.\n")
    assert shell.json("server", "show", resting)["status"] == "ACTIVE"


def test_some_of_many_fail(shell: Shell, resting: str) -> None:
    stopped = next(row for row in shell.json("server", "list") if row["status"] in ("SHUTOFF", "ERROR", "PAUSED"))
    out = shell.run("server", "reboot", resting, stopped["id"], "-f", "json", "--wait")
    assert shell.code == 4
    assert {one["id"]: one["ok"] for one in json.loads(out)}[stopped["id"]] is False


def test_a_name_that_fits_several_is_refused_with_the_candidates(shell: Shell) -> None:
    ids = [
        shell.json("server", "create", "cli-twin", "--image", "debian-12", "--flavor", "m1.tiny")["id"]
        for _ in range(2)
    ]
    shell.run("server", "reboot", "cli-twin")
    assert shell.code == 1
    assert all(id in shell.err for id in ids)
    shell.ok("server", "delete", *ids, "--yes", "--wait")


def test_check_gives_one_object_per_server(shell: Shell, server: str, tmp_path: Path) -> None:
    way = ("--identity", str(shell.clouds_yaml.with_name("id_demo")), "--port", str(ESTATE["guest_port"]))
    assert _soon(lambda: shell.run("server", "check", server, *way) and shell.code == 0), shell.err
    told = shell.json("server", "check", server, *way)
    assert told["ready"] is True
    assert told["host_key"]["grade"] == "console"
    assert [rung["name"] for rung in told["rungs"]][:5] == ["address", "port", "banner", "host key", "login"]
    assert all(rung["seconds"] >= 0 for rung in told["rungs"])
    assert f"{server}: login ok" in shell.err
    out = shell.run("server", "check", server, *way, "--user", "nobody-here")
    assert shell.code == 1
    assert "failed" in out


def test_wait_ends_at_any_value_or_at_the_deadline(shell: Shell, resting: str) -> None:
    (told,) = shell.json("wait", "server", resting, "--for", "status=ACTIVE,ERROR", "--timeout", "20")
    assert told["status"] == "ACTIVE"
    shell.run("wait", "server", resting, "--for", "status=SHUTOFF", "--timeout", "0.2")
    assert shell.code == 3
    assert "is ACTIVE after 0.2 s" in shell.err
    shell.run("wait", "server", "nosuch", "--for", "gone")
    assert shell.code == 1


def test_a_deadline_that_passes_is_exit_code_3(shell: Shell, resting: str) -> None:
    shell.run("server", "reboot", resting, "--wait", "--timeout", "0")
    assert shell.code == 3


def test_watch_tells_what_others_do(shell: Shell) -> None:
    command = [sys.executable, "-m", "console.cli.main", "watch", "server", "-f", "ndjson"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert "watching" in process.stderr.readline()
        lines: list[dict[str, Any]] = []
        reader = threading.Thread(target=lambda: lines.extend(map(json.loads, process.stdout or ())))
        reader.start()
        try:
            seen = shell.json("server", "create", "seen", "--image", "debian-12", "--flavor", "m1.tiny")
            assert _soon(lambda: any(line["event"] == "appeared" for line in lines))
            shell.ok("server", "delete", seen["id"], "--yes", "--wait")
            assert _soon(lambda: any(line["event"] == "disappeared" for line in lines))
        finally:
            process.send_signal(2)
            assert process.wait(20) == 130
            reader.join()
    assert {line["v"] for line in lines} == {1}
    own = [line["event"] for line in lines if line["id"] == seen["id"]]
    assert (own[0], own[-1]) == ("appeared", "disappeared")
    assert {line["kind"] for line in lines} == {"server"}


def _soon(there: Any) -> bool:
    for _ in range(160):
        if there():
            return True
        time.sleep(0.25)
    return False


# What can be wrong


def with_clouds(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any) -> dict[str, Any]:
    """A clouds.yaml that differs from the estate's own."""
    tree = yaml.safe_load(shell.clouds_yaml.read_text())
    change(tree["clouds"])
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump(tree))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return dict(tree)


def test_a_wrong_password_is_one_sentence_and_the_others_still_work(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_clouds(shell, tmp_path, monkeypatch, lambda clouds: clouds["lab"]["auth"].update(password="no"))
    out = shell.run("server", "list")
    assert (shell.code, out) == (1, "")
    assert shell.err.count("\n") == 1
    assert shell.err.startswith("novadeck: lab/")
    assert "refuses the login" in shell.err
    rows = json.loads(shell.run("server", "list", "--os-cloud", "lab,nimbus", "-f", "json"))
    assert shell.code == 4
    assert {row["place"].partition("/")[0] for row in rows} == {"nimbus"}
    assert shell.err.count("\n") == 1


def test_a_dead_cloud_is_one_sentence(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_clouds(
        shell, tmp_path, monkeypatch, lambda clouds: clouds["lab"]["auth"].update(auth_url="http://127.0.0.1:9/v3")
    )
    rows = json.loads(shell.run("server", "list", "--os-cloud", "lab,nimbus", "-f", "json"))
    assert shell.code == 4
    assert rows
    assert shell.err.count("\n") == 1
    assert "http://127.0.0.1:9/v3 cannot be reached" in shell.err


def test_a_missing_password_is_said_where_nobody_can_be_asked(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_clouds(shell, tmp_path, monkeypatch, lambda clouds: clouds["lab"]["auth"].pop("password"))
    shell.run("server", "list")
    assert shell.code == 1
    assert "password" in shell.err
    assert shell.err.count("\n") == 1


def test_a_syntax_error_names_file_and_line(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds:\n  lab:\n    auth: {x: [1\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    shell.run("server", "list", "--os-cloud", "lab")
    assert shell.code == 1
    assert f"{path}, line 4" in shell.err


def test_an_unknown_cloud_and_region(shell: Shell) -> None:
    shell.run("server", "list", "--os-cloud", "nosuch")
    assert shell.code == 1
    assert "no cloud named nosuch" in shell.err
    assert "nimbus" in shell.err
    assert shell.err.count("\n") == 1
    out = shell.run("server", "list", "--os-cloud", "nosuch,lab", "-f", "value", "-c", "name")
    assert (shell.code, bool(out)) == (4, True)
    shell.run("server", "list", "--os-region-name", "atlantis")
    assert (shell.code, shell.err) == (1, "novadeck: No cloud that was asked for has a region atlantis.\n")


def test_several_clouds_and_none_chosen(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_CLOUD")
    shell.run("server", "list")
    assert shell.code == 2
    assert "There are several clouds: " in shell.err
    assert "--os-cloud" in shell.err


def test_no_cloud_at_all(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_CLOUD")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE")
    shell.run("server", "list")
    assert shell.code == 1
    assert shell.err.startswith("novadeck: No cloud is configured. Looked for ")
    assert "novadeck demo" in shell.err


def test_a_broken_settings_file_names_file_and_line(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "CONFIG_HOME" / "novadeck"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("theme = 'x'\nread_onyl = true\n")
    shell.run("server", "list")
    assert shell.code == 1
    assert f"{folder}/config.toml, line 2" in shell.err
    assert shell.err.count("\n") == 1


def test_a_state_folder_that_cannot_be_written(shell: Shell, tmp_path: Path, resting: str) -> None:
    """Reading works; acting is refused, since it could not be written down."""
    state = tmp_path / "STATE_HOME"
    state.write_text("a file where the folder should be")
    assert shell.json("server", "show", resting)["status"] == "ACTIVE"
    shell.run("server", "reboot", resting)
    assert shell.code == 1
    assert str(state) in shell.err
    assert "Traceback" not in shell.err
    state.unlink()


def test_an_untrusted_certificate(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.server
    import ssl

    pem = tmp_path / "pem"
    openssl = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2"
    subprocess.run(
        [*openssl.split(), "-keyout", str(pem), "-out", str(tmp_path / "crt")], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as site:
        site.handle_error = lambda *_: None  # type: ignore[method-assign]
        site.socket = context.wrap_socket(site.socket, server_side=True)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        url = f"https://127.0.0.1:{site.server_port}/v3"
        with_clouds(shell, tmp_path, monkeypatch, lambda clouds: clouds["lab"]["auth"].update(auth_url=url))
        shell.run("server", "list")
        site.shutdown()
    assert shell.code == 1
    assert "certificate" in shell.err
    assert "not trusted" in shell.err
    assert shell.err.count("\n") == 1
