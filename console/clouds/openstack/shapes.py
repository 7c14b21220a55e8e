"""The model's nouns under the field names of Nova and Glance, so that a record's bytes decode to a row at once.

Nothing here touches a record: which JSON name fills which field, and no more. `key`, `place` and `record` are not the
cloud's to tell; whoever decodes sets them afterwards, always (`records.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Row
from console.model.server import Server

R = TypeVar("R", bound=Row)

SERVER_NAMES = {
    "word": "status",
    "task_state": "OS-EXT-STS:task_state",
    "vm_state": "OS-EXT-STS:vm_state",
    "power_state": "OS-EXT-STS:power_state",
    "access_ipv4": "accessIPv4",
    "access_ipv6": "accessIPv6",
    "launched_at": "OS-SRV-USG:launched_at",
    "terminated_at": "OS-SRV-USG:terminated_at",
    "host_id": "hostId",
    "host": "OS-EXT-SRV-ATTR:host",
    "hypervisor": "OS-EXT-SRV-ATTR:hypervisor_hostname",
    "zone": "OS-EXT-AZ:availability_zone",
    "hostname": "OS-EXT-SRV-ATTR:hostname",
    "volumes": "os-extended-volumes:volumes_attached",
    "project_id": "tenant_id",
    "disk_config": "OS-DCF:diskConfig",
    "ip_group": "sharedIpGroupId",
    "image_schedule": "RAX-SI:image_schedule",
}
_FLAVOR_NAMES = {
    "ephemeral": "OS-FLV-EXT-DATA:ephemeral",
    "public": "os-flavor-access:is_public",
    "disabled": "OS-FLV-DISABLED:disabled",
}
_IMAGE_NAMES = {
    "word": "status",
    "hidden": "os_hidden",
    "created": "created_at",
    "updated": "updated_at",
    "server_id": "instance_uuid",
    "base_image_id": "base_image_ref",
    "operation": "novadeck_op",
    "schedule": "novadeck_schedule",
}
OURS = {"key": "novadeck:key", "place": "novadeck:place", "record": "novadeck:record", "dialect": "novadeck:dialect"}


def told_as(name: str, noun: type[R], names: Mapping[str, str], others: Sequence[tuple[str, Any, Any]] = ()) -> type[R]:
    """The noun with its fields under other names; a Struct's own renaming does not reach the fields it inherits.

    `others` are fields (name, type, default) that it has beside its own, or in their place.
    """
    fields = {field.name: (field.name, field.type, field.default) for field in msgspec.structs.fields(noun)}
    fields |= {field[0]: field for field in others}
    shape = msgspec.defstruct(
        name,
        list(fields.values()),
        bases=(noun,),
        module=__name__,
        namespace={"__doc__": noun.__doc__},
        frozen=True,
        kw_only=True,
        gc=False,
        rename={**OURS, **names},
    )
    return cast(type[R], shape)


NovaServer = told_as("NovaServer", Server, SERVER_NAMES)  # as /servers/detail tells it
NovaFlavor = told_as("NovaFlavor", Flavor, _FLAVOR_NAMES)  # as /flavors/detail tells it
GlanceImage = told_as("GlanceImage", Image, _IMAGE_NAMES)  # as /v2/images tells it, its own properties among them
