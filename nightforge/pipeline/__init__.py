"""The orchestrator: plan, journal, fold, live state, retries, stop and resume. Never imports torch."""
