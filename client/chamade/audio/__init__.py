"""The audio of a call (docs/protocol.md): hear, speak, keys, marks."""
