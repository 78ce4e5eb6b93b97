"""One actor per pool: takes news in, plans, starts what was planned, and takes the results in as news."""
