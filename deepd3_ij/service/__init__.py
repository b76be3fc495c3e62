"""The service behind Fiji's DeepD3 menu: a table of verbs and its two transports.

``verbs`` holds the table, ``exchange`` what images, ROIs and tables look like on the way, ``in_process`` the transport
for a Fiji that Python hosts, ``worker`` the one for a Fiji that the user started.
"""
