"""Looks an installation over: does every part answer, do they know each other, is it as it was
made? Each check says what it saw, and if that is not well, what to do. None leaves a trace.
"""
