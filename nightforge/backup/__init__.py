"""Backups: content-addressed snapshots, verification, mirror, retention, restore. Never imports torch."""
