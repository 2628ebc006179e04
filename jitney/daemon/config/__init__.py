"""The typed configuration: schema, loading with line numbers, secrets by reference."""
