"""MAUI (Cuervo et al. 2010 [178]): which methods of a program run on the phone, decided while it runs."""
