"""Transports that post readings to a server: `http`, and `influx` for InfluxDB."""
