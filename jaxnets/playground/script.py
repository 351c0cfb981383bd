"""The Python that trains a page's networks again, bit for bit."""

from jaxnets.playground.config import Config

HEAD = '''"""The networks of a playground page: the same functions, so the same bits."""

from jaxnets.playground import from_address, repeat

'''
EDITED = """# Weights were set by hand, or there were too many changes to repeat: this trains the
# last configuration from the start. Save the weights to have those that the page showed.
"""
TAIL = """
print(networks.params()["output"]["bias"])  # [networks, outputs]
head, arrays = networks.frame(member=0)
print(head["step"], "steps, mean training loss", arrays["loss"][0].mean())
"""


def script(config: Config, log: list[tuple[Config, int]] | None) -> str:
    """Writes a script that draws the networks and repeats all steps and changes of the page."""
    parts = log if log else [(config, 500 if log is None else 0)]
    lines = [f"    (from_address({part.address()!r}), {updates})," for part, updates in parts]
    text = "networks = repeat(\n" + "\n".join(lines) + "\n)\n"
    return HEAD + (EDITED if log is None else "") + text + TAIL
