"""Routes: which events they answer and what they do; a pure language without memory and without I/O."""
