"""The anomaly track: sensor tables and vibration, from raw files to decisions with a known alarm rate."""
