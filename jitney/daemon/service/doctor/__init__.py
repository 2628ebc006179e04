"""What `jitney doctor` looks at: everything that the bus needs, and what to do where something is not well."""
