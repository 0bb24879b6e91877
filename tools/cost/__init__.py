"""What calls cost in AWS, computed."""
