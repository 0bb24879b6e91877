"""Takes webhooks: checks who sent them, prints them, and answers each call that rings.

WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py [PORT]
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chamade import BadSignature, webhooks


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1 << 20))
        try:
            event = webhooks.verify(os.environ["WEBHOOK_SECRET"], self.headers, body)
        except BadSignature as error:
            self.send_error(401, str(error))
            return
        print(event.type, event.call_id or "", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"action": "accept"}' if event.type == "call.ringing" else b"{}")


ThreadingHTTPServer(("", int((sys.argv[1:] or ["8080"])[0])), Receiver).serve_forever()
