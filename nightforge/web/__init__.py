"""The dashboard server: what a loopback address answers, how it is started and stopped. No torch."""
