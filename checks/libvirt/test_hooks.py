"""Programs of the administrator that take part in every start."""

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import libvirt as cures
from pytest_vfio.hypervisor.hypervisor import Hypervisor


@check("LIB010", severity=BLOCKER, needs=["LIB001"], refs=["F222"], since="0.2")
def test_no_hook_of_libvirt_blocks_every_start(hypervisor: Hypervisor) -> Verdict:
    """No hook of libvirt blocks every start

    Checks:
        That the hook for QEMU, where there is one that may be executed, does not end with an error
        whatever it is called for, and that its interpreter exists.
    Why it matters:
        libvirt runs it before each start and stops where it ends with anything but 0: "Hook script
        execution failed". The guest's own definition has no fault.
    Evidence:
        /etc/libvirt/hooks/qemu and its permissions.
    Fix:
        Correct the hook, or take its execute permission away.
    Fix safety:
        Manual: hooks prepare devices and networks.
    References:
        F222; libvirt, Hooks for specific system management; src/util/virhook.c.
    """
    hooks = hypervisor.hooks.active
    for hook in hooks:
        if hook.refusal is not None:
            return fails(
                f"{hook.path} ends with an error at every start: {hook.refusal.line}",
                actual=hook.refusal.line,
                expected="exit 0",
                evidence=[hook.refusal, hook.quote],
                acts="libvirt",
                cure=cures.mend_hook(hook.path),
            )
    if hooks:
        return skips(f"{hooks[0].path} takes part in every start, and only its run shows how")
    return passes("libvirt has no hook for QEMU")
