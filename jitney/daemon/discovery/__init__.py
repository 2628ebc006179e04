"""Home Assistant shows what the bus knows: devices and entities, announced over MQTT."""
