"""Electronic seals (三(五), 四(二)4): applied for, sampled, made, applied to PDF files, judged."""
