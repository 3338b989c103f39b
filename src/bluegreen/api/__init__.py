"""The HTTP API: one resource per noun of the domain, under ``/v1``. Thin: it calls the engine."""
