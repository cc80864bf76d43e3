"""Archives: one unit in one ``.tar.zst`` that any tar opens, and a manifest beside it (S9).

=================== ==================================================================
NAME.tar.zst        a plain pax tar in one zstd stream with a window of 128 MiB (27)
NAME.manifest.jsonl what is in it, member by member, and why it was made: `manifest`
NAME.sha256         the digests once more, as ``sha256sum -c`` reads them
=================== ==================================================================

`source` reads a unit, `tar` knows the format, `pack` writes, `check` reads back, `extract`
unpacks and trusts nothing, `store` is the folder that archives lie in.
"""
