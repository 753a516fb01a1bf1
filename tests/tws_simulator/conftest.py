"""Gateways, and clients that talk to them, for the simulator's tests."""
