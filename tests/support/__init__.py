"""What the tests of several folders use: servers, browsers, programs of others, patience."""
