"""Claims as data: registered in a file, measured over seeds, judged by their interval.

`load` reads a claim, `study` runs it over seeds, `judge` gives the verdict on what was measured.
"""

from jaxnets.claims.claim import Claim as Claim
from jaxnets.claims.claim import Part as Part
from jaxnets.claims.claim import load as load
from jaxnets.claims.claim import load_all as load_all
from jaxnets.claims.discovery import with_q_values as with_q_values
from jaxnets.claims.intervals import ANALYSES as ANALYSES
from jaxnets.claims.intervals import Estimate as Estimate
from jaxnets.claims.intervals import Sample as Sample
from jaxnets.claims.judge import Finding as Finding
from jaxnets.claims.judge import Record as Record
from jaxnets.claims.judge import judge as judge
from jaxnets.claims.study import study as study
