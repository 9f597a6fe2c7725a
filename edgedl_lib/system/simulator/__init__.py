"""One simulator for all offloading modes, event by event on SimPy.

``parts`` holds what is built into a system (`Processor`, `Channel`), ``lines`` how they serve.
"""

from edgedl_lib.system.simulator.parts import (
    Channel,
    DeviceLeft,
    LineFull,
    LinkDown,
    PartFailed,
    Processor,
    Service,
    Transfer,
)

__all__ = ["Channel", "DeviceLeft", "LineFull", "LinkDown", "PartFailed", "Processor", "Service", "Transfer"]
