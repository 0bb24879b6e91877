"""The limits of docs/limits.md: bounds on the resources that strangers, tenants and peers use."""
