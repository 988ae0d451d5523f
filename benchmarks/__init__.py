"""Measurements, not tests: each module is a command, run as `python3 dev.py bench NAME`."""
