"""Registries: one package per driver. Each imports only ports, domain and its client library."""
