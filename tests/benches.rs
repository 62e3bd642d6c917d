//! The parts of benchmarks that can be tested: how they read answers, size jobs, sum up and draw.
#![allow(dead_code, reason = "the benchmark uses what is not tested here")]

#[path = "../bench/throughput/calibrate.rs"]
mod calibrate;
#[path = "../bench/throughput/chart_of.rs"]
mod chart_of;
#[path = "../bench/throughput/contender.rs"]
mod contender;
#[path = "../bench/throughput/samples.rs"]
mod samples;
#[path = "../bench/throughput/table.rs"]
mod table;
