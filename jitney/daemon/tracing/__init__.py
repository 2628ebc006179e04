"""What the bus remembers of its events, told to an OpenTelemetry collector."""
