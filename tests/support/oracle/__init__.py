"""A slow, plain Python SYMBA market, written from the specification for reading, beside the compiled kernels."""

from tests.support.oracle.market import OracleRun as OracleRun
from tests.support.oracle.market import run_oracle as run_oracle
