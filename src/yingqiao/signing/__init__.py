"""Electronic signing: jobs, time stamps, certificates, verification. Pure decisions; no I/O."""
