"""Environments as lanes: one interface, whatever steps behind it."""
