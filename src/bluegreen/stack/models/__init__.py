"""The keys of both dialects as pydantic models: one source for validation, schema and reference."""
