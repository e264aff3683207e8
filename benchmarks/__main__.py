"""Run every benchmark, one after the other: ``python -m benchmarks``."""

from benchmarks import (
    allreduce,
    compression,
    cpu_kernels,
    frappe,
    ml1m_full,
    ncf_ml1m,
    retrieval,
    s3rec_beauty,
    sasrec_ml1m,
    scaling,
    serving,
    training_speed,
)

ACCURACY = (ncf_ml1m, ml1m_full, frappe, sasrec_ml1m, s3rec_beauty)
SPEED = (training_speed, cpu_kernels, scaling, allreduce)
SIZE = (compression,)
SERVICE = (retrieval, serving)

for benchmark in (*ACCURACY, *SPEED, *SIZE, *SERVICE):
    benchmark.main([])
