"""Whose is it? Addresses, MACs and ids in any spelling."""

import pytest

from console.cli.search import as_address, as_mac, matches
from console.model.server import Address, Server

WEB = Server(
    id="0a1b2c3d-0000",
    name="Web-1",
    access_ipv6="2001:db8::9",
    addresses={"private": [Address("10.0.0.4", mac="FA:16:3E:00:00:01"), Address("2001:DB8:0::5", 6)]},
)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("10.0.0.4", "address 10.0.0.4 on private"),
        ("2001:db8::5", "address 2001:db8::5 on private"),
        ("[2001:db8::9]", "access address 2001:db8::9"),
        ("fa-16-3e-00-00-01", "MAC fa:16:3e:00:00:01 (10.0.0.4 on private)"),
        ("fa16.3e00.0001", "MAC fa:16:3e:00:00:01 (10.0.0.4 on private)"),
        ("0A1B2C", "id 0a1b2c3d-0000"),
        ("web", "name Web-1"),
        ("10.0.0", ""),
        ("10.0.0.40", ""),
        ("0a1", ""),
        ("", ""),
    ],
)
def test_a_word_fits_or_not(word: str, why: str) -> None:
    assert matches(WEB, [word]) == why


def test_the_first_word_that_fits_tells_why() -> None:
    assert matches(WEB, ["db", "10.0.0.4"]) == "address 10.0.0.4 on private"


def test_spellings() -> None:
    assert as_mac("fa163e000001") is None
    assert as_mac("zz:16:3e:00:00:01") is None
    assert as_address("web-1") is None
