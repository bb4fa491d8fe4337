"""What things cost, measured: `python -m benchmarks` runs every `bench_*` module beside this one."""
