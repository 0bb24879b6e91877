"""`POST /mcp`: the Model Context Protocol, for agents that are language models.

`endpoint.py` is the HTTP side and all that `import app` loads; `tools.py` lists the tools,
`perform.py` runs them by the operations of the REST API; `schemas.py` describes them. `server.py`
and `exchange.py` are the protocol, by the official SDK, which is imported with the first request.
"""
