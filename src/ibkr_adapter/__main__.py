from ibkr_adapter.cli import main

main()
