"""Dashboard and alarm definitions, and the local preview that evaluates and draws them. Never deployed."""
