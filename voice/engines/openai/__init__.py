"""The engine of any server that speaks OpenAI's audio API, by its URL and key."""
