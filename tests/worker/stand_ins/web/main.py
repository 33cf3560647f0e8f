"""Like gunicorn: a parent that listens and a forked child that answers, so that serve has grandchildren too."""

import argparse
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from migrator import lifeline


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()


parser = argparse.ArgumentParser()
parser.add_argument("--lifeline", type=int, required=True)
parser.add_argument("--host", required=True)
parser.add_argument("--port", type=int, required=True)
given = parser.parse_args()
server = HTTPServer((given.host, given.port), Answer)
child = os.fork()
if child == 0:
    server.serve_forever()


def stop(*_):
    os.kill(child, signal.SIGTERM)


signal.signal(signal.SIGTERM, stop)
lifeline.hold(given.lifeline)
os.waitpid(child, 0)
sys.exit(0)
