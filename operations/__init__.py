"""What an operator does to a running installation, from a shell: `chamade-admin` and its `doctor`.

The commands go through the application's services, as REST does, so that no rule is written twice.
Nothing imports this package.
"""
