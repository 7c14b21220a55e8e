"""A key pair: the public half that a cloud puts into new servers. It belongs to the user, not the project."""

from console.model.place import Row


class KeyPair(Row, frozen=True, kw_only=True, gc=False):
    """One key pair; its name is its id."""

    public_key: str | None = None
    fingerprint: str | None = None
    type: str | None = None
