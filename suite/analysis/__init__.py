"""Pure: records in, numbers and verdicts out. No files and no workers."""
