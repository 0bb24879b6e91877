"""The audio of a call (docs/protocol.md): sound in both directions, keys, marks."""
