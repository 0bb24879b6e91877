"""The operator's commands for a running installation: `chamade-admin` and its `doctor`.

The commands use the application's services, as REST does, so that no rule is written twice. No
other package imports this one.
"""
