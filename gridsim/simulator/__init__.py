"""The simulation of a configuration inside a program: readings as tables, without transports."""
