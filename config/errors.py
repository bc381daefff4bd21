class ConfigError(Exception):
    """The configuration cannot be used: one sentence per problem, one line each, no secrets."""
