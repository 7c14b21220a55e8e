"""Files that a new server finds on its disk, whichever way its cloud still takes them.

Older clouds take them with the order ("personality") and write them themselves. Newer ones do not, so cloud-init in
the guest is told to: as root, readable by root and its group alone, after a file that is already there was renamed.
The user's own user data goes along untouched, as another part of the same document. Pure, but for reading the files.
"""

import base64
import gzip
import json
import shlex
import zlib
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from pathlib import Path, PurePosixPath
from typing import Any

from console.actions.limits import Most
from console.errors import ActionRefused
from console.text import clean

PATH_MOST = 255  # bytes
USER_DATA_MOST = 65_535  # characters, as they are sent
_FIRST_LINES = (
    ("#cloud-config", "cloud-config"),
    ("#!", "x-shellscript"),
    ("## template: jinja", "jinja2"),
    ("#include", "x-include-url"),
    ("#cloud-boothook", "cloud-boothook"),
    ("#part-handler", "part-handler"),
)


def files(value: Any) -> dict[str, bytes]:
    """The files by their paths in the guest: from a mapping, or from "PATH=FILE" words. Raises `ActionRefused`.

    A mapping's values are texts, bytes, or objects with a `read`; a word names a file of this machine.
    """
    if isinstance(value, Mapping):
        pairs = [(str(path), content) for path, content in value.items()]
    else:
        words = [value] if isinstance(value, str) else [str(word) for word in value]
        if wrong := [word for word in words if "=" not in word]:
            raise ActionRefused(f"file {clean(wrong[0])!r} is no PATH=FILE.", hint="PATH is the one in the guest.")
        pairs = [(path, Path(file).expanduser()) for path, _, file in (word.partition("=") for word in words)]
    found: dict[str, bytes] = {}
    for path, content in pairs:
        if path in found:
            raise ActionRefused(f"{clean(path)} is given twice.")
        found[_path(path)] = _text(path, content)
    return found


def _path(path: str) -> str:
    if not path.startswith("/") or path.endswith("/") or ".." in PurePosixPath(path).parts or not path.isprintable():
        raise ActionRefused(f"{clean(path)!r} is no whole path of a file in the guest.", hint="It begins with a /.")
    if len(path.encode()) > PATH_MOST:
        raise ActionRefused(f"The path {clean(path[:30])}... has {len(path.encode())} bytes; {PATH_MOST} are the most.")
    return path


def _text(path: str, content: Any) -> bytes:
    """A file's bytes, which must be those of a text."""
    if isinstance(content, Path):
        try:
            content = content.read_bytes()
        except OSError as error:
            raise ActionRefused(f"{path}: {content} cannot be read: {error.strerror or error}.") from error
    elif hasattr(content, "read"):
        content = content.read()
    data = content.encode() if isinstance(content, str) else bytes(content)
    try:
        binary = "\x00" in data.decode()
    except UnicodeDecodeError:
        binary = True
    if binary:
        raise ActionRefused(f"{path} is no text: only texts can be put into a new server.")
    return data


def check(given: Mapping[str, bytes], most: Most) -> None:
    """Refuse files that are too many or too large for a cloud that takes them itself."""
    count, size = most("personality"), most("personality_size")
    if count is not None and len(given) > count:
        raise ActionRefused(f"{len(given)} files were given, and the cloud takes {count}.")
    for path, content in given.items():
        if size is not None and len(content) > size:
            raise ActionRefused(f"{path} has {len(content)} bytes, and the cloud takes {size}.")


def user_data(own: bytes | None, given: Mapping[str, bytes]) -> bytes:
    """User data by which cloud-init writes these files, the user's own in front. Raises `ActionRefused` if too long."""
    config = b"#cloud-config\n" + json.dumps(_config(given), indent=1).encode()
    found = config if own is None else _together(own, config)
    check_user_data(found, "The files" if own is None else "Files and user data together")
    return found


def check_user_data(data: bytes, what: str = "The user data") -> None:
    """Refuse user data that no cloud takes."""
    sent = 4 * ((len(data) + 2) // 3)
    if sent > USER_DATA_MOST:
        most = USER_DATA_MOST * 3 // 4
        raise ActionRefused(f"{what} make {len(data)} bytes of user data, and {most} are the most.")


def _config(given: Mapping[str, bytes]) -> dict[str, Any]:
    """What cloud-init does: rename what is there, once, before it writes; lists join those of other parts."""
    paths = " ".join(shlex.quote(path) for path in given)
    rename = f'for f in {paths}; do [ ! -e "$f" ] || mv "$f" "$f.bak.$(date -u +%Y%m%dT%H%M%SZ)"; done'
    return {
        "merge_how": [
            {"name": "list", "settings": ["append"]},
            {"name": "dict", "settings": ["no_replace", "recurse_list"]},
        ],
        "bootcmd": [["cloud-init-per", "instance", "novadeck-keep-files", "sh", "-c", rename]],
        "write_files": [
            {
                "path": path,
                "encoding": "b64",
                "content": base64.b64encode(content).decode("ascii"),
                "owner": "root:root",
                "permissions": "0440",
            }
            for path, content in given.items()
        ],
    }


def _together(own: bytes, config: bytes) -> bytes:
    """Both as the parts of one document, each with the type that cloud-init knows it by."""
    document = MIMEMultipart(boundary="novadeck-" + format(zlib.crc32(own + config), "08x"))
    document.attach(_part(_plain(own), "user-data"))
    document.attach(_part(config, "files"))
    return document.as_bytes()


def _plain(own: bytes) -> bytes:
    if not own.startswith(b"\x1f\x8b"):
        return own
    try:
        return gzip.decompress(own)
    except (OSError, EOFError, zlib.error) as error:
        raise ActionRefused("The user data begins like something compressed, and is broken.") from error


def _part(content: bytes, name: str) -> Message:
    main, kind = kind_of(content)
    if main == "multipart":  # a document of parts already: cloud-init takes it apart
        return message_from_bytes(content)
    part = MIMEBase(main, kind)
    part.set_payload(base64.encodebytes(content).decode("ascii"))
    part["Content-Transfer-Encoding"] = "base64"
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def kind_of(content: bytes) -> tuple[str, str]:
    """The type of user data, by its first line, as cloud-init tells it. Raises `ActionRefused` where it has none."""
    start = content.lstrip(b"\xef\xbb\xbf")[:400].decode("utf-8", "replace")
    if "multipart/" in start.lower() and start.lower().startswith(("content-type:", "mime-version:")):
        return "multipart", "mixed"
    for first, kind in _FIRST_LINES:
        if start.startswith(first):
            return "text", kind
    raise ActionRefused(
        "User data that begins with neither #cloud-config nor #! cannot be joined with files.",
        hint=f"It begins with {clean(start[:20])!r}.",
    )
