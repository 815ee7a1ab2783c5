"""The views: the terminal and the web page."""
