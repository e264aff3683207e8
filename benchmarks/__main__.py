"""Run every benchmark, one after the other: ``python -m benchmarks``."""

from benchmarks import frappe, ml1m_full, ncf_ml1m, s3rec_beauty, sasrec_ml1m, training_speed

for benchmark in (ncf_ml1m, ml1m_full, frappe, sasrec_ml1m, s3rec_beauty, training_speed):
    benchmark.main([])
