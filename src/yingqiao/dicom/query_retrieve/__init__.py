"""Asking a PACS and fetching from it: C-ECHO, C-FIND, C-MOVE, C-GET as SCU. Start reading at `client`."""
