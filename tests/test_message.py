"""What a reply says: every shape of a fault gives one error of the tree, clean, short and without secrets."""

import json
import random

import pytest

from console.errors import (
    BadReply,
    CloudError,
    CloudFault,
    Conflict,
    Forbidden,
    NotFound,
    OverLimit,
    OverQuota,
    Unauthorized,
)
from console.wire.message import (
    QUOTED,
    Exchange,
    Reply,
    Request,
    decipher,
    http_date,
    mask,
    quote,
    read_fault,
    read_json,
    retry_after,
)


def reply(status: int, body: object = b"", method: str = "GET", **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, names, [raw], method=method, url="http://cloud.example/v2.1/servers/detail?limit=1")


def failed(status: int, body: object = b"", method: str = "GET", **headers: str) -> CloudError:
    with pytest.raises(CloudError) as caught:
        decipher(reply(status, body, method, **headers), "lab/one")
    return caught.value


def nova(name: str, code: int, message: str) -> dict[str, object]:
    return {name: {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "badRequest", CloudFault),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Forbidden),
        (404, "itemNotFound", NotFound),
        (405, "badMethod", CloudFault),
        (409, "conflictingRequest", Conflict),
        (500, "computeFault", CloudFault),
        (501, "notImplemented", CloudFault),
        (503, "serviceUnavailable", CloudFault),
    ],
)
def test_a_fault_of_nova_is_one_error_of_the_tree(status: int, name: str, kind: type[CloudError]) -> None:
    error = failed(status, nova(name, status, "Because."), x_openstack_request_id="req-1")
    assert type(error) is kind
    assert (error.fault, error.status, error.request_id, error.place) == (name, status, "req-1", "lab/one")
    assert "Because." in error.message


def test_a_good_reply_passes_and_a_choice_of_versions_is_one() -> None:
    for good in (reply(200, b"{}"), reply(204), reply(300, b'{"versions":[]}'), reply(304)):
        decipher(good)


def test_a_body_is_put_together_from_the_parts_in_which_it_came() -> None:
    came = Reply(200, {}, [b'{"servers": ', b"[]}"])
    assert came.body == b'{"servers": []}'
    assert read_json(came) == {"servers": []}
    assert Reply(204, {}, []).body == b""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"error": {"message": "The request you have requires authentication.", "code": 401, "title": "U"}},
            "requires",
        ),
        ({"NeutronError": {"type": "PortNotFound", "message": "Port x", "detail": ""}}, "Port x"),
        ({"NeutronError": "plain words"}, "plain words"),
        (
            {"message": "The resource could not be found.", "code": "404 Not Found", "title": "Not Found"},
            "could not be",
        ),
        ({"errors": [{"status": 404, "title": "Not Found", "detail": "no such thing"}]}, "no such thing"),
        (
            b"<html><head><title>T</title></head><body><h1>403 Forbidden</h1>Access  denied</body></html>",
            "Access denied",
        ),
        (b"plain text of a proxy", "plain text of a proxy"),
        (b'["a list"]', "a list"),
        (b'{"cut": {"mess', "cut"),
    ],
)
def test_a_fault_of_any_shape_is_told(body: object, told: str) -> None:
    assert told in failed(404, body).message


def test_an_error_without_a_body_names_what_was_asked_and_the_status() -> None:
    assert failed(502).message == "GET /v2.1/servers/detail?limit=1 was answered 502 without a word"


def test_a_quota_is_final_and_a_rate_is_not() -> None:
    assert type(failed(403, nova("forbidden", 403, "Quota exceeded for cores: Requested 2"))) is OverQuota
    assert (
        type(failed(403, nova("forbidden", 403, "Policy doesn't allow os_compute_api:x to be performed."))) is Forbidden
    )
    cinder = nova("overLimit", 413, "Maximum number of volumes allowed (10) exceeded for quota 'volumes'.")
    assert type(failed(413, cinder, "POST", retry_after="0")) is OverQuota
    assert type(failed(413, cinder, "POST", retry_after="60")) is OverQuota
    assert type(failed(413, nova("overLimit", 413, "No."), "POST")) is OverQuota
    assert type(failed(409, {"NeutronError": {"type": "OverQuota", "message": "No more."}})) is OverQuota


@pytest.mark.parametrize("status", [413, 429, 503])
def test_a_rate_limit_tells_how_long_to_wait(status: int) -> None:
    error = failed(status, nova("overLimit", status, "This request was rate-limited."), "POST", retry_after="17")
    assert isinstance(error, OverLimit)
    assert error.retry_after == 17


def test_a_rate_limit_without_a_time_waits_a_little_and_the_bodys_own_time_counts() -> None:
    quiet = failed(429)
    assert isinstance(quiet, OverLimit)
    assert quiet.retry_after == 5
    told = failed(413, {"overLimit": {"code": 413, "message": "Slow down", "retryAfter": 9}}, "POST")
    assert isinstance(told, OverLimit)
    assert told.retry_after == 9


def test_retry_after_is_a_number_or_a_date_counted_from_the_replys_own() -> None:
    date = {"date": "Fri, 20 Nov 2026 23:00:00 GMT"}
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert retry_after(date | {"retry-after": "Fri, 20 Nov 2026 23:01:30 GMT"}) == 90
    assert retry_after(date | {"retry-after": "Fri, 20 Nov 2026 22:00:00 GMT"}) == 0
    assert retry_after(date | {"retry-after": "Fri, 20 Nov 2099 22:00:00 GMT"}) == 3600
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "nan"}) is None
    assert retry_after({}) is None


def test_a_date_that_is_none_is_none() -> None:
    assert http_date("Fri, 20 Nov 2026 23:00:00 GMT").isoformat() == "2026-11-20T23:00:00+00:00"  # type: ignore[union-attr]
    last = ("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -0500")
    for text in (None, "", "yesterday", "Fri, 99 Nov 2026 23:00:00 GMT", *last):
        assert http_date(text) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "an empty body"),
        (b'{"servers": [{"id', "cut off or broken"),
        (b"hello", "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_body_that_is_no_json_is_one_clear_error(body: bytes, told: str) -> None:
    with pytest.raises(BadReply) as caught:
        read_json(reply(200, body, x_compute_request_id="req-7"), "lab/one")
    assert told in caught.value.message
    assert (caught.value.request_id, caught.value.status, caught.value.place) == ("req-7", 200, "lab/one")


def test_html_and_redirects_are_no_answers() -> None:
    with pytest.raises(BadReply, match="a page of HTML instead of data: Please log in"):
        decipher(reply(200, b"<html><body>Please log in</body></html>", content_type="text/html; charset=utf-8"))
    with pytest.raises(BadReply, match="a redirect to https://elsewhere/"):
        decipher(reply(302, b"", location="https://elsewhere/"))


def test_what_is_quoted_is_short_clean_and_without_secrets() -> None:
    assert len(quote(b"x" * 5000)) == QUOTED
    assert quote(b"a\x1b[2J\n\n b") == "a␛[2J b"
    body = (
        b'{"server": {"adminPass": "hunter2", "name": "web"}, "auth": {"password": "s3\\"cret"}, "user_data": "QUJD"}'
    )
    for secret in ("hunter2", "s3", "cret", "QUJD"):
        assert secret not in quote(body)
    assert "web" in quote(body)
    token = "gAAAAABn" + "k" * 60
    assert token not in failed(400, nova("badRequest", 400, f"bad token {token}")).message
    assert "hunter2" not in mask("https://h/console?token=hunter2&x=1")
    assert "hunter2" not in mask("https://h/vnc_lite.html?path=%3Ftoken%3Dhunter2")  # as newer Novas write it
    assert mask("see http://bob:hunter2@h:8774/v2.1/a@b") == "see http://••••@h:8774/v2.1/a@b"
    assert mask('{"password": "cut off') == '{"password": "••••"'


def test_a_trace_line_shows_the_exchange_without_its_secrets() -> None:
    request = Request("POST", "http://h/v3/auth", {"X-Auth-Token": "tok", "A": "b"}, b'{"password": "pw"}')
    line = str(Exchange(request, reply(201, b'{"adminPass": "pw2"}', x_subject_token="tok2", a="b")))
    assert "POST http://h/v3/auth" in line
    assert "-> 201" in line
    assert "A: b" in line
    for secret in ("tok,", "tok2", "pw2", '"pw"'):
        assert secret not in line
    moved = reply(302, location="https://sso.example/?token=hunter2")
    assert "hunter2" not in str(Exchange(request, moved))
    with pytest.raises(BadReply, match="a redirect to") as told:
        decipher(moved)
    assert "hunter2" not in str(told.value)


def test_no_body_at_all_breaks_the_reading_of_a_fault() -> None:
    rng = random.Random(11)
    good = json.dumps({"computeFault": {"code": 500, "message": "x", "retryAfter": "y"}}).encode()
    for _ in range(2000):
        body = bytearray(good)
        for _ in range(rng.randint(0, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        cut = bytes(body[: rng.randint(0, len(body))])
        assert isinstance(read_fault(cut).message, str)
    assert isinstance(read_fault(b"[" * 100_000).message, str)
