"""What makes and checks the notebooks; `make help` lists the commands."""
