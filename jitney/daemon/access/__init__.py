"""Who may do what at the broker: one model, rendered, applied, and proved by trying."""
