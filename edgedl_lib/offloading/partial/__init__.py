"""Partial offloading (survey VI-B-2): a part of the program or of the network moves to a nearby machine."""
