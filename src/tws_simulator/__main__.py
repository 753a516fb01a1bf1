"""`python -m tws_simulator`, for parents that start the simulator with their own interpreter."""

from tws_simulator.cli import main

main()
