module workspacesio/benchmarks/loadgen

go 1.22
