"""The legal moves, against a second telling of Nova's guards: by state, the verbs that it takes there."""

import datetime as dt

import pytest

from console.actions.action import ACTIONS
from console.actions.legal import RULES, Refusal, image_refusal, refusal, state_of, verdict
from console.model.image import Image
from console.model.place import Place
from console.model.server import Server
from console.runbooks import RUNBOOKS

PLACE = Place("lab", "one")
VERBS = [verb for verb in RULES if verb not in RUNBOOKS]  # those are many orders: each is judged when its turn comes
BIRTH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ADMIN = "migrate live_migrate evacuate reset_state shelve_offload"
ALWAYS = (
    "hostkeys lock unlock delete force_delete set security_group console_log remote_console history explain reset_state"
    " schedule image_schedule image_schedule_off add_vip remove_vip move_ip plan_images"
)

# vm_state, task_state, status, and all verbs that an administrator's order would be taken for.
STATES: list[tuple[str, str | None, str, str]] = [
    (
        "active", None, "ACTIVE",
        "reboot hard_reboot rebuild resize snapshot backup password stop pause suspend shelve rescue migrate"
        " share_ip unshare_ip name_password backup_schedule backup_schedule_off"
        " live_migrate evacuate metadata tags attach_volume detach_volume attach_interface detach_interface check",
    ),
    (
        "stopped", None, "SHUTOFF",
        "hard_reboot rebuild resize snapshot backup start shelve rescue migrate evacuate metadata tags attach_volume"
        " detach_volume attach_interface detach_interface",
    ),
    (
        "paused", None, "PAUSED",
        "hard_reboot snapshot backup unpause shelve live_migrate metadata tags attach_volume detach_volume"
        " attach_interface detach_interface",
    ),
    ("suspended", None, "SUSPENDED", "hard_reboot snapshot backup resume shelve metadata tags"),
    ("rescued", None, "RESCUE", "unrescue check"),
    ("resized", None, "VERIFY_RESIZE", "confirm revert attach_volume detach_volume check"),
    ("shelved", None, "SHELVED", "unshelve shelve_offload attach_volume detach_volume"),
    ("shelved_offloaded", None, "SHELVED_OFFLOADED", "unshelve attach_volume detach_volume"),
    ("soft-delete", None, "SOFT_DELETED", "restore attach_volume detach_volume"),
    ("error", None, "ERROR", "hard_reboot rebuild stop rescue evacuate"),
    ("building", "spawning", "BUILD", ""),
    ("active", "image_uploading", "ACTIVE", "evacuate metadata tags check"),
    ("active", "rebooting", "REBOOT", "hard_reboot evacuate metadata tags check"),
    ("active", "reboot_started_hard", "HARD_REBOOT", "evacuate metadata tags check"),
    ("active", "pausing", "ACTIVE", "hard_reboot evacuate metadata tags check"),
    ("active", "suspending", "ACTIVE", "hard_reboot evacuate metadata tags check"),
    ("paused", "unpausing", "PAUSED", "hard_reboot metadata tags"),
    ("suspended", "resuming", "SUSPENDED", "hard_reboot metadata tags"),
    ("active", "resize_prep", "RESIZE", "evacuate metadata tags check"),
    ("active", "powering-off", "ACTIVE", "evacuate metadata tags check"),
    ("stopped", "powering-on", "SHUTOFF", "evacuate metadata tags"),
    ("resized", "resize_reverting", "REVERT_RESIZE", "check"),
    ("active", "rebuilding", "REBUILD", "evacuate metadata tags check"),
    ("active", "updating_password", "PASSWORD", "evacuate metadata tags check"),
    ("active", "migrating", "MIGRATING", "evacuate metadata tags check -remote_console"),
    ("active", "deleting", "ACTIVE", "evacuate metadata tags -remote_console"),
    ("active", "shelving", "ACTIVE", "evacuate metadata tags check"),
    ("shelved", "shelving_offloading", "SHELVED", ""),
]  # fmt: skip


def server(vm: str | None = "active", task: str | None = None, status: str = "ACTIVE", **more: object) -> Server:
    fields = {"launched_at": BIRTH, "host_id": "abc", "locked": False, **more}
    return Server(id="id", name="web-1", place=PLACE, word=status, vm_state=vm, task_state=task, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("vm", "task", "status", "verbs"), STATES)
def test_every_verb_in_every_state(vm: str, task: str | None, status: str, verbs: str) -> None:
    expected = set(verbs.split()) | set(ALWAYS.split())
    expected |= {"clone"} if "snapshot" in expected else set()
    expected |= {"run", "shell"} if "check" in expected else set()
    expected -= {word[1:] for word in verbs.split() if word.startswith("-")}
    allowed = {
        verb.removeprefix("server.") for verb in VERBS if refusal(verb, server(vm, task, status), privilege=2) is None
    }
    assert allowed == {word for word in expected if not word.startswith("-")}


@pytest.mark.parametrize(("vm", "task", "status", "verbs"), STATES)
def test_a_member_may_all_but_what_only_administrators_may(vm: str, task: str | None, status: str, verbs: str) -> None:
    row = server(vm, task, status)
    for verb in VERBS:
        as_member, as_admin = verdict(verb, row, privilege=1), verdict(verb, row, privilege=2)
        if verb.removeprefix("server.") in ADMIN.split():
            assert "administrator" in as_member
        else:
            assert as_member == as_admin


@pytest.mark.parametrize(("vm", "task", "status", "verbs"), STATES)
def test_a_cloud_that_tells_no_vm_state_is_judged_by_its_status(
    vm: str, task: str | None, status: str, verbs: str
) -> None:
    told = server(vm, task, status)
    row = server(None, task, status)
    assert state_of(row)[0] == vm
    for verb in VERBS:
        assert (refusal(verb, told, privilege=2) is None) == (refusal(verb, row, privilege=2) is None), verb


@pytest.mark.parametrize("verb", sorted(RUNBOOKS.keys() & RULES.keys()))
def test_a_runbook_may_begin_where_its_order_may_be_sent(verb: str) -> None:
    order = {"server.replace": "server.clone"}.get(verb, ACTIONS[verb].needs)  # it makes an image before all else
    assert RULES[verb] == RULES[order]


@pytest.mark.parametrize("verb", VERBS)
def test_each_refusal_is_a_sentence_and_has_no_line_breaks(verb: str) -> None:
    for vm, task, status, _ in STATES:
        if found := refusal(verb, server(vm, task, status)):
            assert found.reason.endswith("."), found
            assert found.reason[0].isupper() or found.reason.startswith("web-1"), found
            assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("verb", "row", "words"),
    [
        ("server.reboot", server(task="image_uploading"), "web-1 is imaging: task state image_uploading."),
        ("server.resize", server("resized", None, "VERIFY_RESIZE"), "Not while VERIFY_RESIZE. C confirms, V reverts."),
        ("server.confirm", server(), "There is no resize to confirm."),
        ("server.start", server(), "It runs already."),
        ("server.stop", server("stopped", None, "SHUTOFF"), "It is off already."),
        ("server.reboot", server("stopped", None, "SHUTOFF"), "Start it, or R boots it."),
        ("server.reboot", server(task="rebooting", status="REBOOT"), "R reboots it hard."),
        ("server.revert", server("resized", "resize_reverting", "REVERT_RESIZE"), "going back to its old flavor"),
        ("server.resize", server("error", None, "ERROR", launched_at=None), "It never ran"),
        ("server.reboot", server(locked=True), "web-1 is locked. Unlock it first."),
        ("server.reboot", server(locked=True, locked_reason="payday"), "locked: payday."),
        ("server.console_log", server(host_id=""), "no host"),
        ("server.reboot", server("deleted", None, "DELETED"), "is deleted"),
        ("server.reboot", Server(id="id", name="web-1", place=PLACE), "state is not known"),
        ("server.check", server("stopped", None, "SHUTOFF"), "Not while SHUTOFF. Start it first."),
    ],
)
def test_the_words(verb: str, row: Server, words: str) -> None:
    assert words in verdict(verb, row)


def test_an_administrator_passes_a_lock() -> None:
    assert verdict("server.reboot", server(locked=True), privilege=2) == ""
    assert verdict("server.snapshot", server(locked=True), privilege=1) == ""


def test_a_failed_build_can_only_be_deleted() -> None:
    row = server("error", None, "ERROR", launched_at=None)
    allowed = {verb for verb, rule in RULES.items() if rule.vm is not None and refusal(verb, row, privilege=2) is None}
    assert allowed == set()
    assert verdict("server.delete", row) == ""


def test_what_is_just_ordered_can_be_deleted() -> None:
    assert verdict("server.delete", Server(id="id", name="web-1", place=PLACE)) == ""


def test_reasons_of_the_caller_come_before_the_state() -> None:
    row = server("stopped", None, "SHUTOFF")
    known = {"needs": "server.resize", "verbs": frozenset({"server.list"})}
    assert verdict("server.resize", row, **known) == "lab/one offers no resize."  # type: ignore[arg-type]
    assert verdict("server.resize", row, read_only="lab is read-only.") == "lab is read-only."
    assert verdict("server.resize", row, stale="lab/one is down.").startswith("lab/one is down.")
    assert "only reads" in verdict("server.resize", row, privilege=0)
    assert verdict("server.console_log", row, privilege=0) == ""


def test_images() -> None:
    image = Image(id="id", name="golden", place=PLACE, word="active")
    assert image_refusal("image.delete", image) is None
    protected = Image(id="id", name="golden", place=PLACE, word="active", protected=True)
    assert str(image_refusal("image.delete", protected)).startswith("golden is protected.")
    public = Image(id="id", name="golden", place=PLACE, word="active", visibility="public")
    assert image_refusal("image.delete", public) is not None
    assert image_refusal("image.delete", public, privilege=2) is None
    assert image_refusal("image.delete", image, read_only="No.") == Refusal("No.")
