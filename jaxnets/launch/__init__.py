"""`python -m jaxnets.launch -n 2 -- COMMAND`: the processes of one program, started and watched."""
