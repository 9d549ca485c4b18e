"""The command line: flags to the functions of api."""
