"""Jitney as a service of systemd: notification, the port that it holds open, and installation."""
