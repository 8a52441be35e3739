"""What readers see of records: tables, pages, exports."""
