"""Who the people are, for each adapter type."""
