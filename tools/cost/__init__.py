"""The cost of calls in AWS, computed."""
