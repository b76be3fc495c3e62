"""Analysis of all stacks below a folder by one or several processes, which can be stopped and resumed."""

from deepd3_ij.batch.items import BatchItem, Shard, find_stacks
from deepd3_ij.batch.running import BatchResult, RunOptions, analyze_folder, analyze_run, run_batch, summary_of
from deepd3_ij.batch.settings import BatchSettings

__all__ = ["BatchItem", "BatchResult", "BatchSettings", "RunOptions", "Shard", "analyze_folder", "analyze_run",
           "find_stacks", "run_batch", "summary_of"]
