"""From an accepted event to the broker: bus, outbox, lanes, publisher, commands and replies."""
