"""A virt driver: nova's own fake driver, a good deal closer to life.

Nova's FakeDriver keeps its guests in memory, is done with everything at once,
never makes an image and has nothing that runs.  This one

* gives each server a real guest, an sshd on the server's own address, with a
  console log (guest.py);
* takes its time over a build, and fails one, when it is asked to: by the
  environment (LAB_BUILD_SECONDS, LAB_SNAPSHOT_SECONDS) or for one server by
  its metadata (lab_build_seconds=20, lab_fail=build, lab_fail=snapshot);
  over everything else that it does to a server (LAB_TASK_SECONDS,
  lab_task_seconds=20), so that its task states can be looked at;
* sends a real, small image to Glance for a snapshot, through the same task
  states as the libvirt driver does;
* shows the power state of a paused, suspended or rescued guest;
* keeps the identity of its host (nova refuses to start a second time
  without it) and finds its guests again after nova-compute was restarted.
"""

import io
import signal
import time

from nova import exception
from nova.compute import power_state, task_states, vm_states
from nova.image import glance
from nova.scheduler.client import report
from nova.virt import fake

from loopback_lab.guest import Guest, knob

# A server that is destroyed on a host in one of these states lives on, and its disk.
KEPT = (
    task_states.RESIZE_REVERTING,
    task_states.SHELVING,
    task_states.SHELVING_OFFLOADING,
)


def linger(instance):
    time.sleep(float(knob(instance, "task_seconds", "0")))


class LoopbackDriver(fake.FakeDriverWithoutFakeNodes):
    def init_host(self, host):
        super().init_host(host)
        for guest in Guest.all_of(host):
            state = guest.record["power"]
            if state == power_state.RUNNING and not guest.processes():
                state = power_state.SHUTDOWN  # nova will have it resumed, see below
            self.instances[guest.uuid] = fake.FakeInstance(guest.record["name"], state, guest.uuid)

    def resume_state_on_host_boot(self, context, instance, network_info, share_info, block_device_info=None):
        """Nova calls this for a server that should run and does not, after its host came up."""
        if Guest(instance.uuid).record:
            self._power(instance, power_state.RUNNING, network_info, boot=True)
        else:
            self._arrive(instance, network_info, new=True)

    # ------------------------------------------------------ coming and going

    def spawn(self, context, instance, image_meta, injected_files, *args, network_info=None, power_on=True, **kwargs):
        time.sleep(float(knob(instance, "build_seconds", "0")))
        if instance.metadata.get("lab_fail") == "build":
            raise exception.BuildAbortException(instance_uuid=instance.uuid, reason="asked to fail by lab_fail=build")
        for vif in network_info or ():
            self._interfaces[vif["id"]] = vif
        shelved = instance.vm_state in (vm_states.SHELVED, vm_states.SHELVED_OFFLOADED)
        self._arrive(instance, network_info, power_on, new=not shelved, files=injected_files)

    def destroy(self, context, instance, network_info, block_device_info=None, destroy_disks=True, *args, **kwargs):
        linger(instance)
        self.instances.pop(instance.uuid, None)
        guest = Guest(instance.uuid)
        if guest.record.get("host") != self._host:
            return  # it has moved on to another host
        if destroy_disks and instance.task_state not in KEPT:
            guest.remove()
        else:
            guest.stop()

    def _arrive(self, instance, network_info, power_on=True, boot=True, new=False, files=None):
        """A server comes to this host: anew, from another host, or from the shelf."""
        state = power_state.RUNNING if power_on else power_state.SHUTDOWN
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)
        guest = Guest(instance.uuid)
        if new or not guest.record:
            guest.make(instance, files)
        guest.save(host=self._host, name=instance.name, power=state)
        if power_on and boot:
            guest.boot(instance, network_info)

    def migrate_disk_and_power_off(self, context, instance, *args, **kwargs):
        linger(instance)
        self._power(instance, power_state.SHUTDOWN, off=True)

    def finish_migration(
        self,
        context,
        migration,
        instance,
        disk_info,
        network_info,
        image_meta,
        resize_instance,
        allocations,
        block_device_info=None,
        power_on=True,
        share_info=None,
    ):
        linger(instance)
        self._arrive(instance, network_info, power_on)

    def finish_revert_migration(
        self,
        context,
        instance,
        network_info,
        migration,
        block_device_info=None,
        power_on=True,
        share_info=None,
    ):
        linger(instance)
        self._arrive(instance, network_info, power_on)

    def live_migration(self, context, instance, *args, **kwargs):
        linger(instance)
        super().live_migration(context, instance, *args, **kwargs)

    def post_live_migration_at_destination(self, context, instance, network_info, *args, **kwargs):
        self._arrive(instance, network_info, boot=False)  # it never stopped

    # ----------------------------------------------------------------- power

    def _power(self, instance, state, network_info=None, boot=False, off=False, disk="keys"):
        """Note the new state; switch the guest on (again) or off."""
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances[instance.uuid].state = state
        guest = Guest(instance.uuid)
        guest.save(power=state)
        if boot:
            guest.boot(instance, network_info, disk)
        elif off:
            guest.stop()
        return guest

    def _thaw(self, instance):
        if not self._power(instance, power_state.RUNNING).signal(signal.SIGCONT):
            self._power(instance, power_state.RUNNING, boot=True)  # the lab was down since

    def reboot(self, context, instance, network_info, reboot_type, *args, **kwargs):
        linger(instance)
        if instance.uuid not in self.instances and reboot_type.lower() == "hard":
            self._arrive(instance, network_info)
        else:
            self._power(instance, power_state.RUNNING, network_info, boot=True)

    def power_on(self, context, instance, network_info, *args, **kwargs):
        linger(instance)
        self._power(instance, power_state.RUNNING, network_info, boot=True)

    def power_off(self, instance, timeout=0, retry_interval=0):
        linger(instance)
        self._power(instance, power_state.SHUTDOWN, off=True)

    def pause(self, instance):
        linger(instance)
        self._power(instance, power_state.PAUSED).signal(signal.SIGSTOP)

    def unpause(self, instance):
        linger(instance)
        self._thaw(instance)

    def suspend(self, context, instance):
        linger(instance)
        self._power(instance, power_state.SUSPENDED).signal(signal.SIGSTOP)

    def resume(self, context, instance, *args, **kwargs):
        linger(instance)
        self._thaw(instance)

    def rescue(self, context, instance, network_info, *args, **kwargs):
        linger(instance)
        self._power(instance, power_state.RUNNING, network_info, boot=True, disk="rescue")

    def unrescue(self, context, instance):
        linger(instance)
        self._power(instance, power_state.RUNNING, boot=True)

    def set_admin_password(self, instance, new_pass):
        linger(instance)

    # ----------------------------------------------------------------- other

    def snapshot(self, context, instance, image_id, update_task_state):
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        time.sleep(float(knob(instance, "snapshot_seconds", "0")))
        if instance.metadata.get("lab_fail") == "snapshot":
            raise exception.NovaException("asked to fail by lab_fail=snapshot")
        update_task_state(
            task_state=task_states.IMAGE_UPLOADING,
            expected_state=task_states.IMAGE_PENDING_UPLOAD,
        )
        api = glance.API()
        image = api.get(context, image_id)
        metadata = {
            "status": "active",
            "disk_format": "raw",
            "container_format": "bare",
            "name": image["name"],
            "properties": dict(image["properties"], image_state="available"),
        }
        data = io.BytesIO(f"snapshot of {instance.uuid}\n".encode() * 1024)
        api.update(context, image_id, metadata, data=data, purge_props=False)

    def detach_interface(self, context, instance, vif):
        self._interfaces.setdefault(vif["id"], vif)  # forgotten by a restart
        super().detach_interface(context, instance, vif)

    def get_console_output(self, context, instance):
        return Guest(instance.uuid).console()


def _no_allocations(self, context, nodename):
    return {}


# For every server that is built, nova-compute asks Placement about every other
# server of the host, one by one, in case its providers must be reshaped.  Ours
# never are, and without this a lab of a few hundred servers crawls.
report.SchedulerReportClient.get_allocations_for_provider_tree = _no_allocations
