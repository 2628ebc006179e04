"""What may be shown of a radio's configuration: only what is named here. Everything else may be a secret.

New firmware brings new fields; one that nobody has looked at is not shown.
"""

from typing import Any, Final

from jitney.adapters.meshtastic.description import word

SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "device": ("role", "rebroadcast_mode", "node_info_broadcast_secs", "is_managed", "tzdef", "led_heartbeat_disabled"),
    "position": (
        "position_broadcast_secs",
        "position_broadcast_smart_enabled",
        "fixed_position",
        "gps_mode",
        "gps_update_interval",
        "position_flags",
        "broadcast_smart_minimum_distance",
        "broadcast_smart_minimum_interval_secs",
    ),
    "power": ("is_power_saving", "on_battery_shutdown_after_secs", "wait_bluetooth_secs", "ls_secs", "min_wake_secs"),
    "network": ("wifi_enabled", "eth_enabled", "address_mode", "ntp_server", "enabled_protocols", "ipv6_enabled"),
    "display": ("screen_on_secs", "units", "flip_screen", "wake_on_tap_or_motion", "use_12h_clock"),
    "lora": (
        "use_preset",
        "modem_preset",
        "bandwidth",
        "spread_factor",
        "coding_rate",
        "frequency_offset",
        "region",
        "hop_limit",
        "tx_enabled",
        "tx_power",
        "channel_num",
        "override_duty_cycle",
        "sx126x_rx_boosted_gain",
        "override_frequency",
        "ignore_mqtt",
        "config_ok_to_mqtt",
    ),
    "bluetooth": ("enabled", "mode"),
    "security": ("is_managed", "serial_enabled", "debug_log_api_enabled", "admin_channel_enabled"),
}
"""The fields of ``LocalConfig``, by section."""

SHOWN_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "mqtt": (
        "enabled",
        "encryption_enabled",
        "json_enabled",
        "tls_enabled",
        "root",
        "proxy_to_client_enabled",
        "map_reporting_enabled",
    ),
    "serial": ("enabled", "echo", "baud", "timeout", "mode"),
    "external_notification": ("enabled", "output_ms", "active", "alert_message", "alert_bell", "nag_timeout"),
    "store_forward": ("enabled", "heartbeat", "records", "history_return_max", "history_return_window", "is_server"),
    "range_test": ("enabled", "sender", "save"),
    "telemetry": (
        "device_telemetry_enabled",
        "device_update_interval",
        "environment_measurement_enabled",
        "environment_update_interval",
        "air_quality_enabled",
        "air_quality_interval",
        "power_measurement_enabled",
        "power_update_interval",
    ),
    "canned_message": ("enabled", "send_bell"),
    "audio": ("codec2_enabled", "bitrate"),
    "remote_hardware": ("enabled",),
    "neighbor_info": ("enabled", "update_interval", "transmit_over_lora"),
    "ambient_lighting": ("led_state", "current", "red", "green", "blue"),
    "detection_sensor": ("enabled", "minimum_broadcast_secs", "state_broadcast_secs", "detection_trigger_type"),
    "paxcounter": ("enabled", "paxcounter_update_interval"),
}
"""The fields of ``LocalModuleConfig``, by section."""

Shown = dict[str, dict[str, str | int | float | bool]]


def shown(config: Any, sections: dict[str, tuple[str, ...]]) -> Shown:  # noqa: ANN401 - a protobuf
    """Return the fields of a configuration that may be shown, those that this version of the library knows."""
    found: Shown = {}
    for section, fields in sections.items():
        if section in config.DESCRIPTOR.fields_by_name:
            message = getattr(config, section)
            known = message.DESCRIPTOR.fields_by_name
            found[section] = {field: _value(message, field) for field in fields if field in known}
    return found


def _value(message: Any, field: str) -> str | int | float | bool:  # noqa: ANN401 - a protobuf
    if message.DESCRIPTOR.fields_by_name[field].enum_type is not None:
        return word(message, field)
    value: str | int | float | bool = getattr(message, field)
    return value
