"""TwiML: the documents of the application, parsed into verbs and run.

It never does I/O itself: the call fetches the documents, answers, and opens the stream.
"""
