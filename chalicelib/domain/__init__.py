"""Rules as plain values and functions. Imports the standard library and pydantic, nothing else."""
