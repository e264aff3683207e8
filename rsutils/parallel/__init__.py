"""Training on many workers: Horovod for Keras 3.

Names and meanings are those of Horovod, so that ``from rsutils import parallel as hvd`` reads like
its documentation. With one worker nothing else is needed, and the same script runs unchanged.

Each name is loaded when it is first used: what starts workers has no need of TensorFlow.
"""

from rsutils import lazy

_MODULE_OF = {
    "Adasum": "collectives",
    "Average": "collectives",
    "ByRow": "placement",
    "ByTable": "placement",
    "Checkpoints": "checkpoints",
    "Compression": "collectives",
    "DistributedOptimizer": "optimizer",
    "HorovodMissingError": "world",
    "PartBatches": "worker_batches",
    "ShardedEmbedding": "sharded_embedding",
    "SparkMissingError": "local_spark",
    "Sum": "collectives",
    "WorkerBatches": "worker_batches",
    "WorkerError": "job",
    "WorkerLog": "worker_log",
    "allgather_object": "collectives",
    "allreduce": "collectives",
    "alltoall": "collectives",
    "barrier": "collectives",
    "broadcast_object": "collectives",
    "broadcast_variables": "collectives",
    "can_run": "launch",
    "can_run_spark": "local_spark",
    "grouped_allgather": "collectives",
    "grouped_allreduce": "collectives",
    "init": "world",
    "is_initialized": "world",
    "local_rank": "world",
    "local_size": "world",
    "rank": "world",
    "register_local_var": "local",
    "run": "launch",
    "run_elastic": "launch",
    "run_on_spark": "launch",
    "set_whole_state": "resharding",
    "shutdown": "world",
    "size": "world",
    "spark_session": "local_spark",
    "whole_state": "resharding",
}
_MODULES = ("callbacks", "cost", "elastic", "spark_features")

__all__ = [*_MODULE_OF, *_MODULES]


__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF, _MODULES)
