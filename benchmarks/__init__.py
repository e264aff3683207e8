"""Quality, seconds and memory of ours, of peers and of published tables, on the same data.

``python -m benchmarks`` runs them all, ``python -m benchmarks.NAME --system SYSTEM`` one. Each
result is a JSON object on a line. They read published data sets: ``$RSUTILS_DATA`` or a download.
"""
