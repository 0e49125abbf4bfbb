"""Start wstest, the suite's own command, without the libraries that these cases do not use.

It runs below PyPy 2.7. The suite imports TLS and a test framework when it starts; only `wss://` and
its own unit tests use them. Both are replaced by empty stand-ins, so nothing has to be compiled.
"""

import site
import sys
import types
import unittest

site.addsitedir(sys.argv.pop(1))  # the folder with the suite; one package in it needs a .pth file

import twisted.internet

tls = types.ModuleType("twisted.internet.ssl")
tls.ClientContextFactory = object
twisted.internet.ssl = sys.modules["twisted.internet.ssl"] = tls
sys.modules["unittest2"] = unittest

from autobahntestsuite import wstest  # noqa: E402

wstest.run()
