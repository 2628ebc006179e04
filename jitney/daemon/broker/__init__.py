"""The broker: sessions of both MQTT versions, window and ledger above them, inbound messages."""
