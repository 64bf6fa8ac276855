"""What the signing services keep: people, applications, the CA, certificates, shared keys."""
