"""`python -m jaxnets.launch -n 2 -- COMMAND` starts and watches the processes of one program."""
