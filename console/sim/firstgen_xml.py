"""The XML form of v1.0: the same trees as its JSON, with single values as attributes.

The service speaks JSON inside; an XML request is turned into that tree and a reply out of it, so that no route knows
which of the two its caller speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

NAMESPACE = "http://docs.rackspacecloud.com/servers/api/v1.0"
NUMBERS = {"imageId", "flavorId", "serverId", "sharedIpGroupId"}
TRUTHS = {"configureServer", "enabled"}
AS_ELEMENTS = {"message", "details"}
Tree = dict[str, Any]


def written(tree: Tree) -> bytes:
    """A reply's tree, which has one key, as an XML document."""
    ((name, value),) = tree.items()
    root = ET.Element(name, {"xmlns": NAMESPACE})
    _fill(root, name, value)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _fill(element: ET.Element, name: str, value: Any) -> None:
    if name in WRITERS:
        WRITERS[name](element, value)
    elif isinstance(value, list):
        _list(element, name, value)
    else:
        _object(element, value or {})


def _object(element: ET.Element, value: Tree) -> None:
    for key, inner in value.items():
        if isinstance(inner, (dict, list)):
            _fill(ET.SubElement(element, key), key, inner)
        elif key in AS_ELEMENTS:
            ET.SubElement(element, key).text = str(inner)
        elif inner is not None:
            element.set(key, _word(inner))


def _list(element: ET.Element, name: str, rows: list[Any]) -> None:
    for row in rows:
        child = ET.SubElement(element, name.removesuffix("s"))
        _object(child, row if isinstance(row, dict) else {"id": row})


def _addresses(element: ET.Element, rows: list[str]) -> None:
    for address in rows:
        ET.SubElement(element, "ip", {"addr": address})


def _metadata(element: ET.Element, pairs: dict[str, str]) -> None:
    for key, text in pairs.items():
        ET.SubElement(element, "meta", {"key": key}).text = text


def _rates(element: ET.Element, rows: list[Tree]) -> None:
    for row in rows:
        _object(ET.SubElement(element, "limit"), row)


def _absolute(element: ET.Element, pairs: dict[str, int]) -> None:
    for name, value in pairs.items():
        ET.SubElement(element, "limit", {"name": name, "value": str(value)})


WRITERS: dict[str, Callable[[ET.Element, Any], None]] = {
    "public": _addresses,
    "private": _addresses,
    "metadata": _metadata,
    "rate": _rates,
    "absolute": _absolute,
}


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read(document: bytes) -> Tree:
    """A request's tree; ValueError where the document is no XML, or declares more than elements."""
    if b"<!" in document:
        raise ValueError("a document type is not taken")
    try:
        root = ET.fromstring(document)
    except ET.ParseError as wrong:
        raise ValueError(str(wrong)) from None
    return {_local(root): _read(root)}


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _read(element: ET.Element) -> Tree:
    tree: Tree = {name: _value(name, text) for name, text in element.attrib.items()}
    for child in element:
        name = _local(child)
        tree[name] = READERS.get(name, _read)(child)
    return tree


def _value(name: str, text: str) -> Any:
    if name in NUMBERS:
        return int(text) if text.isdigit() else text
    return {"true": True, "1": True, "false": False, "0": False}.get(text, text) if name in TRUTHS else text


def _read_metadata(element: ET.Element) -> dict[str, str]:
    return {meta.get("key", ""): meta.text or "" for meta in element}


def _read_files(element: ET.Element) -> list[Tree]:
    return [{"path": file.get("path", ""), "contents": (file.text or "").strip()} for file in element]


def _read_ips(element: ET.Element) -> list[str]:
    return [ip.get("addr", "") for ip in element]


def _read_member(element: ET.Element) -> Any:
    return _number(element.get("id", ""))


def _read_members(element: ET.Element) -> list[Any]:
    return [_read_member(child) for child in element]


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else text


READERS: dict[str, Callable[[ET.Element], Any]] = {
    "metadata": _read_metadata,
    "personality": _read_files,
    "public": _read_ips,
    "private": _read_ips,
    "server": _read_member,
    "servers": _read_members,
}
