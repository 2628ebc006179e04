"""Servers on real sockets that play the outside, strictly."""
