"""`python -m jwtleak`."""

from jwtleak.cli.main import run

if __name__ == "__main__":
    run()
