"""`python -m omium`: the command line, where the `omium` script is not on the path."""

from omium.cli.main import main

if __name__ == "__main__":
    main()
