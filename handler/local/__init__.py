"""The local stage: the deployed handler on one machine, with real servers and without Docker, AWS or root."""
