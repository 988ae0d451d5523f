"""Reports: SQL over the stored events in, a table out, rendered as text, JSON or CSV."""

import os

# Matrices are of two columns here: further threads of BLAS would only spin, beside whoever has work. Read
# when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
