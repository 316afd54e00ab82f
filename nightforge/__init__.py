"""Nightforge: unattended training pipelines for one workstation GPU."""

__version__ = "0.1.0"
