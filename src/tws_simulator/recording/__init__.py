"""Recordings of TWS API connections: taking them, looking at them, and serving them again."""
