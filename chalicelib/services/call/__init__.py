"""The life of a call: how it comes in or is dialled, what its agent does, how it ends."""
