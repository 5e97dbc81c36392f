"""What replay does to learning, measured while it happens: see `docs/diagnostics.md`."""
