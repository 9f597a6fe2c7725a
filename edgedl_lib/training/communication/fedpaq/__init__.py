"""FedPAQ: periodic averaging, partial participation, quantised updates (Reisizadeh et al. 2020 [204])."""
