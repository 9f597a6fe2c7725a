"""What an edge system is made of: devices, links, radios, traces, queues, and the catalogues that hold their figures.

Start at :class:`~edgedl_lib.system.device.Device` (the roofline) and :class:`~edgedl_lib.system.link.Link`;
``catalogue.device(name)`` and ``catalogue.link(name)`` look up published ones.  Importing this package imports NumPy
and nothing heavier: SimPy, pandas and PyTorch load when a function needs them.
"""

from edgedl_lib.system import catalogue
from edgedl_lib.system.catalogue import device_names, device_table, link_names, link_table, specification
from edgedl_lib.system.catalogue_file import UnknownName
from edgedl_lib.system.device import Calibration, Device
from edgedl_lib.system.link import Link
from edgedl_lib.system.radio import radio_power, tail_energy
from edgedl_lib.system.specification import MissingSpecification, Specification
from edgedl_lib.system.trace import Trace, load_trace, synthetic_trace, trace_names

__all__ = [
    "Calibration",
    "Device",
    "Link",
    "MissingSpecification",
    "Specification",
    "Trace",
    "UnknownName",
    "catalogue",
    "device_names",
    "device_table",
    "link_names",
    "link_table",
    "load_trace",
    "radio_power",
    "specification",
    "synthetic_trace",
    "tail_energy",
    "trace_names",
]
