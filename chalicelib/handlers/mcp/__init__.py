"""`POST /mcp`: the Model Context Protocol, for agents that are language models.

`endpoint.py` is the HTTP side and all that `import app` loads; `tools.py` says what there is,
`perform.py` does it by the operations of the REST API; `schemas.py` describes it. `server.py` and
`exchange.py` are the protocol, by the official SDK, which loads with the first request.
"""
