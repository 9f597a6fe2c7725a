"""What it costs a client to send and to compute: rates, powers, lost packets, seconds and joules (survey VII-D).

Rates come in nats (FEDL [219]) or in bits (Chen et al. [220]); the functions say which.  Gains and noise are power
ratios and watts, bandwidths hertz.  Everything takes scalars or arrays that broadcast.
"""

from edgedl_lib.training.wireless.computing import computing_energy, computing_time
from edgedl_lib.training.wireless.sending import bit_rate, nat_rate, packet_error, power_for_nats

__all__ = ["bit_rate", "computing_energy", "computing_time", "nat_rate", "packet_error", "power_for_nats"]
