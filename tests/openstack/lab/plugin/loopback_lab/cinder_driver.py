"""A volume driver that keeps nothing: volumes are rows in Cinder's database.

What all drivers do it does at once, or after the seconds asked for by a
volume's metadata lab_build_seconds=20 (LAB_VOLUME_SECONDS in the environment,
for all); lab_fail=create, extend, snapshot, delete or attach makes that fail.
"""

import io
import os
import time

from cinder import exception
from cinder.volume import driver


class LoopbackVolumeDriver(driver.VolumeDriver):
    VERSION = "1"

    def check_for_setup_error(self):
        pass

    def _update_volume_stats(self):
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "novadeck",
            "driver_version": self.VERSION,
            "storage_protocol": "loopback",
            "total_capacity_gb": 10_000,
            "free_capacity_gb": 10_000,
            "thin_provisioning_support": True,
            "max_over_subscription_ratio": 20,
            "multiattach": True,
        }

    def _do(self, what, volume):
        metadata = volume.metadata or {}
        if what == "create":
            time.sleep(float(metadata.get("lab_build_seconds", os.environ.get("LAB_VOLUME_SECONDS", "0"))))
        if metadata.get("lab_fail") == what:
            raise exception.VolumeDriverException(message=f"asked to fail by lab_fail={what}")

    def create_volume(self, volume):
        self._do("create", volume)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._do("create", volume)

    def create_cloned_volume(self, volume, source):
        self._do("create", volume)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        self._do("create", volume)
        return {}, True

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        pass

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        data = io.BytesIO(f"volume {volume.id}\n".encode() * 1024)
        image_service.update(context, image_meta["id"], {}, data=data, purge_props=False)

    def delete_volume(self, volume):
        self._do("delete", volume)

    def extend_volume(self, volume, new_size):
        self._do("extend", volume)

    def create_snapshot(self, snapshot):
        self._do("snapshot", snapshot.volume)

    def delete_snapshot(self, snapshot):
        pass

    def revert_to_snapshot(self, context, volume, snapshot):
        pass

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kwargs):
        self._do("attach", volume)
        return {"driver_volume_type": "loopback", "data": {"volume_id": volume.id}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass
