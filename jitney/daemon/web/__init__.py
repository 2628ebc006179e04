"""HTTP: health, metrics, and the pages of adapters; and what the bus says of itself over MQTT."""
