"""DynamoDB and Step Functions: one module an aggregate, conditional writes, no rules."""
