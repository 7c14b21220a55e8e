"""A flavor: what a server may use of its host."""

from console.model.place import Row


class Flavor(Row, frozen=True, kw_only=True, gc=False):
    """One flavor; a deleted one is gone from lists while servers still have it."""

    vcpus: int | None = None
    ram: int | None = None  # MB
    disk: int | None = None  # GB; 0 means that it wants a volume
    ephemeral: int | None = None  # GB
    swap: int | str | None = None  # MB; "" is none
    public: bool | None = None
    disabled: bool | None = None
    description: str | None = None
    extra_specs: dict[str, str] | None = None
    resizes: str | None = None  # "any", "up" or "none" where the provider has a rule of its own; None where Nova's hold
