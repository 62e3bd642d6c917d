//! What this crate's own tests and benchmarks use beside its face: nothing here is stable.

pub mod analysis {
    pub use crate::analysis::{
        Expression, Findings, Group, METRICS, RunSummary, SCHEMA, Source, Spread, Waterfall,
        analyse, analyse_trace, differences, group_rows, of_summary, read_run, read_run_watched,
    };
}

pub mod batch {
    pub use crate::batch::{
        BATCH_SCHEMA, Bad, KEYS, Plan, Results, Values, about, html, of_canonical, read_folder,
        text, write_results,
    };
}

#[cfg(feature = "mpi")]
pub mod claim {
    pub use crate::claim::ledger::{Entry, Ledger};
    pub use crate::claim::muster::{Decision, Muster, N_NUMBERS};
}

pub mod diagnostics {
    pub use crate::diagnostics::filter;
}

pub mod doctor {
    #[cfg(feature = "mpi")]
    pub use crate::doctor::plan;
    pub use crate::doctor::{
        Away, ClaimMethod, DOCTOR_SCHEMA, Document, Finding, Measured, Policy, Severity,
    };
}

#[cfg(feature = "mpi")]
pub mod game {
    pub use crate::game::{
        Collective, GuessBy, Guesser, Observer, OneSided, Result, Results, Series, Straggler, Sums,
        ThinkBy, ThinkPlan, ThinkTime, Ticketed,
    };
}

pub mod launch {
    pub use crate::launch::Template;
}

pub mod report {
    pub use crate::report::{
        Lanes, MAX_HTML_BYTES, compare, compare_groups, csv, doctor, doctor_matrix, html_within,
    };

    pub mod export {
        pub use crate::report::export::{COLUMNS, ExportFormat, export};
    }

    pub mod svg {
        pub use crate::report::svg::{Axis, Chart, ChartError, Emphasis, Scale, Series, short};
    }
}

#[cfg(feature = "mpi")]
pub mod rma {
    pub use crate::rma::comm::processor_name;
    pub use crate::rma::hints::whitelisted_hints;
    pub use crate::rma::profile::in_region;

    pub mod faults {
        pub use crate::rma::faults::*;
    }

    pub mod launcher {
        pub use crate::rma::launcher::Launch;
    }
}

pub mod think_time {
    pub use crate::think_time::{Straggler, ThinkTime, parse_duration};
}

pub mod trace {
    pub use crate::trace::{
        Clock, Clocks, End, HEADER_BYTES, Header, Kind, MAX_TIME_NS, Offset, Outcome, ProgressInfo,
        RECORD_BYTES, RUN_FILE, RUN_FORMAT, Record, RunInfo, Trace, TracerCost, Version, file_name,
    };
    #[cfg(feature = "mpi")]
    pub use crate::trace::{RecordLayer, Recorder, now_ns, record};
}
