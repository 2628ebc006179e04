"""What answers events with memory and deeds: conditions over time, actions, grants, and what was seen."""
