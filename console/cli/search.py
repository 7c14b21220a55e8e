"""Whose is this address, this MAC, this id? Pure: what a word can mean, and which server it fits."""

import ipaddress
from collections.abc import Sequence

from console.model.server import Server

SHORTEST_ID = 6  # characters of an id's beginning that are taken for one


def matches(server: Server, words: Sequence[str]) -> str:
    """Why this server fits one of the words, such as "address 10.0.0.4 on private"; "" where it does not."""
    return next((why for word in words if (why := _match(server, word.strip()))), "")


def _match(server: Server, word: str) -> str:
    if (address := as_address(word)) is not None:
        return _by_address(server, address)
    if (mac := as_mac(word)) is not None:
        return _by_mac(server, mac)
    folded = word.casefold()
    if server.id.casefold() == folded or (len(word) >= SHORTEST_ID and server.id.casefold().startswith(folded)):
        return f"id {server.id}"
    return f"name {server.name}" if folded and folded in server.name.casefold() else ""


def as_address(word: str) -> str | None:
    """The word as an address in its one spelling, if it is one."""
    try:
        return str(ipaddress.ip_address(word.strip("[]")))
    except ValueError:
        return None


def as_mac(word: str) -> str | None:
    """The word as a MAC in its one spelling (aa:bb:cc:dd:ee:ff), if it is one."""
    digits = "".join(character for character in word.casefold() if character not in ":-.")
    if len(digits) != 12 or not (":" in word or "-" in word or "." in word):
        return None
    if any(character not in "0123456789abcdef" for character in digits):
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _by_address(server: Server, wanted: str) -> str:
    for network, found in (server.addresses or {}).items():
        for address in found:
            if as_address(address.addr) == wanted:
                return f"address {wanted} on {network}"
    return f"access address {wanted}" if wanted in map(as_address, server.access) else ""


def _by_mac(server: Server, wanted: str) -> str:
    for network, found in (server.addresses or {}).items():
        for address in found:
            if address.mac and as_mac(address.mac) == wanted:
                return f"MAC {wanted} ({address.addr} on {network})"
    return ""
