"""The process: configuration, supervision, delivery, web and command line."""
