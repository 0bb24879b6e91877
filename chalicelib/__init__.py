"""The application: all that decides about calls. Runs in Lambda, holds no state in memory."""
