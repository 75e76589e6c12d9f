"""Is everything as it should be: logs, rows, indexes, threads and the archive, recounted."""

from .findings import Finding, Report

__all__ = ["Finding", "Report"]
