"""The engine of AWS: Amazon Transcribe streaming hears, Amazon Polly's neural voices speak."""
