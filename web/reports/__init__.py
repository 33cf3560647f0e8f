"""The report of a job in its forms: words for people, JSON, a spreadsheet's table, and a PDF for the customer."""
