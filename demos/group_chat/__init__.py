"""Group chat over WebSocket (A9, A10, B2): from one echo to a room that holds."""
