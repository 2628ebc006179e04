"""The sessions themselves: MQTT 5, MQTT 3.1.1, and the ways to reach a broker."""
